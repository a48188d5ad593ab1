import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { findExecutable } from '../../targets/native/candidates.ts'
import { addonSources } from '../../targets/native/sources.ts'
import { runTool } from '../../targets/native/tool.ts'
import { folder } from './harness.ts'

const repository = process.env.GLOWPLUG_ROOT!
const sources = join(repository, 'targets', 'native', 'addon')
const strict = [
  '-std=gnu11',
  '-O2',
  '-g',
  '-fPIC',
  '-ffreestanding',
  '-Wall',
  '-Wextra',
  '-Wshadow',
  '-Wconversion',
  '-Wpedantic',
]

/** The pool as a program of its own. */
async function build(compiler: string, name: string, flags: readonly string[] = []): Promise<string> {
  const output = join(folder, `pool-${compiler}-${name}`)
  const files = ['pool.c', 'processors.c', 'election.c'].map((file) => join(sources, file))
  const main = join(repository, 'test', 'native', 'pool.c')
  await compile([
    compiler,
    '-O1',
    '-g',
    '-Wall',
    '-Wextra',
    ...flags,
    `-I${sources}`,
    main,
    ...files,
    '-o',
    output,
    '-pthread',
    '-ldl',
  ])
  return output
}

/** Runs a compiler, which must have nothing to say. */
async function compile(command: readonly string[]): Promise<void> {
  const { status, said } = await runTool(command, folder)
  assert.equal({ status, said }, { status: 0, said: '' })
}

const run = (program: string, ...words: string[]) => {
  const { status, signal, stderr } = spawnSync(program, words, { encoding: 'utf8' })
  return { status, signal, stderr }
}
const right = { status: 0, signal: null, stderr: '' }

for (const compiler of ['gcc', 'clang', 'aarch64-linux-gnu-gcc']) {
  if (!findExecutable(compiler)) {
    console.log(`skipped: the C of the addon by ${compiler} needs ${compiler}`)
    continue
  }
  test(`each file of the addon compiles alone by ${compiler} without a warning`, async () => {
    for (const file of Object.keys(addonSources).filter((name) => name.endsWith('.c')))
      await compile([
        compiler,
        ...strict,
        `-I${join(repository, 'targets', 'c')}`,
        '-c',
        join(sources, file),
        '-o',
        join(folder, 'alone.o'),
      ])
  })
}

const compiler = ['gcc', 'clang'].find((name) => findExecutable(name))
if (!compiler) console.log('skipped: the thread pool alone needs gcc or clang')
else {
  const plain = await build(compiler, 'plain')
  const kinds: [string, readonly string[]][] = [
    ['plain', []],
    ['thread', ['-fsanitize=thread']],
    ['address', ['-fsanitize=address,undefined', '-fno-sanitize-recover=all']],
  ]
  for (const [name, flags] of kinds) {
    test(`every job that four threads submit runs once, or was withdrawn (${name}, TO-18)`, async () => {
      const program = await build(compiler, name, flags)
      assert.equal(run(program, 'stress'), right)
      if (findExecutable('taskset')) assert.equal(run('taskset', '-c', '0', program, 'stress'), right)
    })

    test(`jobs that follow each other closely each run once (${name}, TO-18)`, async () => {
      assert.equal(run(await build(compiler, name, flags), 'closely'), right)
    })
  }

  test('jobs start in the order of their submission', () => {
    if (!findExecutable('taskset')) return console.log('skipped: jobs start in order needs taskset')
    assert.equal(run('taskset', '-c', '0', plain, 'order'), right)
  })

  test('after a fork the pool begins anew', () => {
    assert.equal(run(plain, 'fork'), right)
  })

  /** How many processors a process sees whose control groups are these files. */
  const processors = (files: Readonly<Record<string, string>>): number => {
    const root = mkdtempSync(join(folder, 'root-'))
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, name)), { recursive: true })
      writeFileSync(join(root, name), text)
    }
    return Number(execFileSync(plain, ['processors', root], { encoding: 'utf8' }))
  }
  const all = availableParallelism()
  const least = (n: number) => Math.min(n, all)

  test('the pool is as large as control groups grant, rounded up, and at least one', () => {
    const group = { 'proc/self/cgroup': '0::/a/b\n' }
    assert.is(processors({}), all)
    assert.is(processors(group), all)
    assert.is(processors({ ...group, 'sys/fs/cgroup/a/b/cpu.max': 'max 100000\n' }), all)
    assert.is(processors({ ...group, 'sys/fs/cgroup/a/b/cpu.max': '50000 100000\n' }), 1)
    assert.is(processors({ ...group, 'sys/fs/cgroup/a/b/cpu.max': '100001 100000\n' }), least(2))
    assert.is(processors({ ...group, 'sys/fs/cgroup/a/b/cpu.max': 'max 100000\n', 'sys/fs/cgroup/a/cpu.max': '1000 100000' }), 1)
    // In a container the group's own folder is the root of what it sees.
    assert.is(processors({ ...group, 'sys/fs/cgroup/cpu.max': '20000 100000\n' }), 1)
    assert.is(processors({ 'proc/self/cgroup': '0::/\n', 'sys/fs/cgroup/cpu.max': '20000 100000\n' }), 1)
  })

  test('control groups of version 1 count too, and damaged files do not', () => {
    const group = { 'proc/self/cgroup': '12:memory:/m\n3:cpuset:/s\n2:cpu,cpuacct:/c\n1:name=systemd:/x\n' }
    const files = (quota: string, period: string) => ({
      ...group,
      'sys/fs/cgroup/cpu/c/cpu.cfs_quota_us': quota,
      'sys/fs/cgroup/cpu/c/cpu.cfs_period_us': period,
    })
    assert.is(processors(files('-1\n', '100000\n')), all)
    assert.is(processors(files('30000\n', '100000\n')), 1)
    assert.is(processors(files('30000\n', '')), all)
    assert.is(processors(files('30000\n', '0\n')), all)
    assert.is(processors(files('99999999999999999999\n', '1\n')), all)
    assert.is(
      processors({ ...group, 'sys/fs/cgroup/cpu/s/cpu.cfs_quota_us': '1', 'sys/fs/cgroup/cpu/s/cpu.cfs_period_us': '9' }),
      all,
    )
    assert.is(processors({ 'proc/self/cgroup': `0::/${'x'.repeat(9000)}\nnonsense\n::\n`, 'sys/fs/cgroup/cpu.max': 'zzz' }), all)
  })
}

test.run()
