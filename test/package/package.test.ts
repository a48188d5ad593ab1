import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, posix } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

const repository = process.env.GLOWPLUG_ROOT!
const workplace = mkdtempSync(join(tmpdir(), 'glowplug-package-'))
const user = join(workplace, 'user')
const readme = readFileSync(join(repository, 'README.md'), 'utf8')
const { exports, devDependencies } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8'))

function run(folder: string, command: string, args: readonly string[]): string {
  try {
    return execFileSync(command, args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string }
    throw new Error(`${command} ${args.join(' ')}\n${stdout}${stderr}`)
  }
}

/** Fenced blocks of the README whose opening line ends with `label`, in order. */
const blocks = (label: RegExp) =>
  [...readme.matchAll(/^```\w+ (.+)\n([\s\S]*?)^```$/gm)].flatMap(([, info, text]) => {
    const match = label.exec(info!)
    return match ? [{ match, text: text! }] : []
  })

let tarball = ''
let installed = false

test('npm pack builds the package and holds what users need, and nothing else', () => {
  const [packed] = JSON.parse(
    run(repository, 'npm', ['pack', '--ignore-scripts=false', '--json', '--silent', '--pack-destination', workplace]),
  )
  tarball = join(workplace, packed.filename)
  const files: string[] = packed.files.map(({ path }: { path: string }) => path)
  const unexpected = files.filter(
    (path) =>
      !/^(?:dist\/[\w-]+\.js|dist\/types\/.*\.d\.ts|plugin\/(?:bin\.mjs|DEPLOYING\.md)|(?:[a-z]+\/){0,4}(?:(?:README|PASSES|PIPELINE|COVERAGE)\.md|LICENSE)|package\.json)$/.test(
        path,
      ),
  )
  assert.equal(unexpected, [])
  for (const path of [
    'dist/index.js',
    'dist/runtime.js',
    'dist/esbuild.js',
    'dist/compiler.js',
    'dist/onnx.js',
    'dist/cli.js',
    'plugin/bin.mjs',
    'README.md',
    'LICENSE',
  ])
    assert.ok(files.includes(path), path)
  for (const entry of Object.values(exports) as ({ types: string } | string)[])
    if (typeof entry === 'object') assert.ok(files.includes(entry.types.slice(2)), entry.types)
  for (const path of files.filter((name) => name.endsWith('.md')))
    for (const [, link] of readFileSync(join(repository, path), 'utf8').matchAll(/\]\((?![a-z]+:|#)([^)#]+)/g))
      assert.ok(files.includes(posix.join(posix.dirname(path), link!)), `${path} links to ${link}`)
  assert.ok(statSync(tarball).size < 1_600_000, `${statSync(tarball).size} bytes`)
  for (const path of files.filter((name) => name.endsWith('.js')))
    assert.not(readFileSync(join(repository, path), 'utf8').includes(repository), `${path} names a folder of this machine`)
})

test('it installs without scripts into an empty folder', () => {
  assert.ok(tarball)
  mkdirSync(user)
  writeFileSync(join(user, 'package.json'), '{ "type": "module", "private": true }')
  const offline = [
    'install',
    '--ignore-scripts',
    '--prefer-offline',
    '--no-audit',
    '--no-fund',
    '--silent',
    tarball,
    ...['esbuild', 'typescript', '@types/node'].map((name) => `${name}@${devDependencies[name]}`),
  ]
  try {
    run(user, 'npm', offline)
    installed = true
  } catch (error) {
    if (!/ENOTFOUND|ECONNREFUSED|ETIMEDOUT|EAI_AGAIN|ENOTCACHED/.test(String(error))) throw error
    console.log('skipped: package needs the npm registry')
  }
})

test('every export of the package can be imported', () => {
  if (!installed) return
  for (const path of Object.keys(exports)) {
    if (path === './package.json') continue
    const names = run(user, process.execPath, [
      '-e',
      `import('glowplug${path.slice(1)}').then((m) => console.log(Object.keys(m).join()))`,
    ])
    assert.ok(names.trim().length > 0, path)
  }
})

test('the README, followed there, prints what it says', () => {
  if (!installed) return
  const written = blocks(/^file=(\S+)$/)
  assert.equal(
    written.map(({ match }) => match[1]),
    ['make-weights.mjs', 'xor.model.ts', 'app.ts', 'tsconfig.json', 'build.mjs', 'xor.test.ts'],
  )
  for (const { match, text } of written) writeFileSync(join(user, match[1]!), text)
  const [build, unit, cli, ...others] = blocks(/^run$/)
  assert.equal(others, [])
  const [output] = blocks(/^output$/)
  assert.is(run(user, 'sh', ['-ec', build!.text]), output!.text)

  const alone = mkdtempSync(join(workplace, 'alone-'))
  cpSync(join(user, 'out'), alone, { recursive: true })
  assert.is(run(alone, process.execPath, ['app.js']), output!.text, 'the output folder alone')

  assert.match(run(user, 'sh', ['-ec', unit!.text]), /^(?:#|ℹ) pass 1$/m)
  run(user, 'sh', ['-ec', cli!.text])
  const compiled = mkdtempSync(join(workplace, 'compiled-'))
  cpSync(join(user, 'compiled'), compiled, { recursive: true })
  writeFileSync(join(compiled, 'package.json'), '{ "type": "module" }')
  writeFileSync(
    join(compiled, 'use.js'),
    `import xor from './index.js'\nconst { sum } = await xor.run({ bits: [0, 0, 0, 1, 1, 0, 1, 1] })\nconsole.log(...sum.data)\nawait xor.close()\n`,
  )
  assert.is(run(compiled, process.execPath, ['use.js']), '0 1 1 0\n')
})

test('the error that the README shows', () => {
  if (!installed) return
  const model = readFileSync(join(user, 'xor.model.ts'), 'utf8')
  writeFileSync(join(user, 'xor.model.ts'), model.replace("'f32', [1, 2])", "'f32', [1, 3])"))
  let message = ''
  try {
    run(user, process.execPath, ['build.mjs'])
  } catch (error) {
    message = String(error)
  }
  writeFileSync(join(user, 'xor.model.ts'), model)
  const [shown] = blocks(/^error$/)
  assert.ok(message.includes(shown!.text), `${message} does not contain ${shown!.text}`)
})

test('the commands of the README', () => {
  if (!installed) return
  writeFileSync(join(user, 'bits.bin'), Buffer.from(new Float32Array([0, 1, 1, 1, 0, 0, 1, 0]).buffer))
  run(user, 'npx', ['glowplug', 'check', 'xor.model.ts'])
  run(user, 'npx', ['glowplug', 'run', 'compiled', '--input', 'bits=bits.bin', '--out', 'answers'])
  const [sum] = readdirSync(join(user, 'answers')).filter((name) => name.includes('sum'))
  const bytes = readFileSync(join(user, 'answers', sum!))
  assert.equal([...new Float32Array(bytes.buffer, bytes.byteOffset, 4)], [1, 0, 0, 1])
  for (const stage of ['graph', 'optimised', 'lowered', 'layout', 'kernels', 'instructions', 'memory', 'c']) {
    assert.ok(run(user, 'npx', ['glowplug', 'print', 'xor.model.ts', '--stage', stage]).length > 50, stage)
  }
})

test('BP-01 the published types accept the README and reject mistakes', () => {
  if (!installed) return
  const tsc = (project: string) => run(user, process.execPath, ['node_modules/typescript/bin/tsc', '-p', project])
  assert.is(tsc('.'), '', 'with the tsconfig.json of the README')

  const compilerOptions = {
    ...JSON.parse(readFileSync(join(user, 'tsconfig.json'), 'utf8')).compilerOptions,
    lib: ['es2023'],
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
  }
  const check = (name: string, files: readonly string[], skipLibCheck: boolean) => {
    writeFileSync(
      join(user, `tsconfig.${name}.json`),
      JSON.stringify({ compilerOptions: { ...compilerOptions, skipLibCheck }, files }),
    )
    try {
      return tsc(`tsconfig.${name}.json`)
    } catch (error) {
      return String(error)
    }
  }
  assert.is(check('app', ['app.ts'], false), '')

  const model = readFileSync(join(user, 'xor.model.ts'), 'utf8')
  writeFileSync(join(user, 'wrong.ts'), model.replace("'f32', [1, 2])", "'f32', [1, 3])"))
  assert.match(
    check('wrong', ['wrong.ts'], false),
    /wrong\.ts.*linear: input \[4, 2\] has 2 features, weight \[1, 3\] expects 3/s,
  )

  writeFileSync(
    join(user, 'uses.ts'),
    `import xor from './xor.model.ts'
const { sum } = await xor.run({ bits: new Float32Array(8) })
export const shape: readonly [4, 1] = sum.shape
export const data: Float32Array = sum.data
// @ts-expect-error there is no such input
await xor.run({ bit: new Float32Array(8) })
// @ts-expect-error another element type
await xor.run({ bits: new Float64Array(8) })
`,
  )
  assert.is(check('uses', ['uses.ts'], false), '')

  writeFileSync(
    join(user, 'config.ts'),
    `import { build } from 'esbuild'
import glowplug from 'glowplug/esbuild'
import { compile } from 'glowplug/compiler'
import { exportOnnx, importOnnx, type ImportReport } from 'glowplug/onnx'
import { open } from 'glowplug/runtime'
export const plugins = [glowplug(), glowplug({ targets: ['wasm', 'interpreter'], cache: false, report: ({ models }) => console.log(models.length) })]
await build({ plugins })
export const functions = [compile, open]
const { graph, source, weights, report } = await importOnnx(new Uint8Array(0), { dims: { seq: [64, 256] } })
export const told: [string, ImportReport, Iterable<Uint8Array>, Uint8Array] = [source, report, weights.chunks(), exportOnnx(graph, { opset: 21 })]
// @ts-expect-error there is no such option
glowplug({ target: ['wasm'] })
`,
  )
  assert.is(check('config', ['config.ts'], true), '')
  if (existsSync(join(user, 'compiled/index.d.ts'))) {
    writeFileSync(
      join(user, 'compiled.ts'),
      `import xor from './compiled/index.js'\nconst { sum } = await xor.run({ bits: new Float32Array(8) })\nexport const shape: readonly [4, 1] = sum.shape\n`,
    )
    assert.is(check('compiled', ['compiled.ts'], false), '')
  }
})

test.after(() => rmSync(workplace, { recursive: true, force: true }))
test.run()
