import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { findExecutable } from '../../targets/native/candidates.ts'
import { runTool } from '../../targets/native/tool.ts'
import { folder } from './harness.ts'

const repository = process.env.GLOWPLUG_ROOT!
const sources = join(repository, 'targets', 'native', 'addon')

/** Crews and their pool as a program of its own. */
async function build(compiler: string, name: string, flags: readonly string[]): Promise<string> {
  const output = join(folder, `crew-${compiler}-${name}`)
  const files = ['crew.c', 'pool.c', 'election.c'].map((file) => join(sources, file))
  const main = join(repository, 'test', 'native', 'crew.c')
  const include = [sources, join(repository, 'targets', 'c')].map((path) => `-I${path}`)
  const command = [
    compiler,
    '-O1',
    '-g',
    '-Wall',
    '-Wextra',
    ...flags,
    ...include,
    main,
    ...files,
    '-o',
    output,
    '-pthread',
    '-ldl',
  ]
  const { status, said } = await runTool(command, folder)
  assert.equal({ status, said }, { status: 0, said: '' })
  return output
}

const kinds: readonly (readonly [name: string, flags: readonly string[]])[] = [
  ['plain', []],
  ['thread', ['-fsanitize=thread']],
  ['address', ['-fsanitize=address,undefined', '-fno-sanitize-recover=all']],
]
const compiler = ['gcc', 'clang'].find((name) => findExecutable(name))
if (!compiler) console.log('skipped: threads within a run need gcc or clang')
else
  for (const [name, flags] of kinds)
    test(`every run of four callers is right with whoever comes, faults end it for all, and nobody waits for who is late (${name})`, async () => {
      const program = await build(compiler, name, flags)
      // More threads than processors, as many, fewer: on any machine.
      for (const threads of ['1', '2', '5']) {
        const { status, signal, stderr } = spawnSync(program, ['stress', threads, '300'], { encoding: 'utf8', timeout: 120_000 })
        assert.equal({ threads, status, signal, stderr }, { threads, status: 0, signal: null, stderr: '' })
      }
    })

test.run()
