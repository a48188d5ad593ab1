import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { BuildOptions } from 'esbuild'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  bundle,
  cleanUp,
  createProject,
  emptyFolder,
  program,
  runAlone,
  scaleModel,
  scaleWeights,
  writeFiles,
} from './support.ts'

const files = {
  'src/app.ts': program(['half', './models/half.model.ts']),
  'src/models/half.model.ts': scaleModel('half'),
  'src/models/half.safetensors': scaleWeights([0.5, 0.5]),
  'src/models/triple.model.ts': scaleModel('triple'),
  'src/models/triple.safetensors': scaleWeights([3, 3]),
}
const answer = 'half wasm 0.5 1\n'

/** Where the outputs lie and how they are named must not matter to the program. */
const layouts: Readonly<Record<string, { readonly options: BuildOptions; readonly run: string }>> = {
  outdir: { options: {}, run: 'app.js' },
  outfile: { options: { outfile: 'out/deep/name.js' }, run: 'deep/name.js' },
  'assets in a folder, without hashes': { options: { assetNames: 'files/[name]' }, run: 'app.js' },
  'nested entry, assets above it': { options: { outbase: '.', assetNames: 'assets/[name]-[hash]' }, run: 'src/app.js' },
  'assets in folders like their source': {
    options: { assetNames: 'files/[dir]/[name]-[hash]', entryNames: '[dir]/[name]' },
    run: 'app.js',
  },
  minified: { options: { minify: true }, run: 'app.js' },
  'CommonJS, the default for Node': {
    options: { outExtension: { '.js': '.cjs' }, format: 'cjs', assetNames: 'assets/[name]-[hash]' },
    run: 'app.cjs',
  },
  'iife that Node runs as CommonJS': { options: { outExtension: { '.js': '.cjs' }, format: 'iife' }, run: 'app.cjs' },
  'packages left outside': { options: { packages: 'external' }, run: 'app.js' },
  'public path of a web server': {
    options: { publicPath: 'https://cdn.example/static', outbase: '.', assetNames: 'a/[name]-[hash]' },
    run: 'src/app.js',
  },
  'platform neutral': { options: { platform: 'neutral' }, run: 'app.js' },
}

for (const [name, { options, run }] of Object.entries(layouts)) {
  test(`BP-05 the output alone runs: ${name}`, async () => {
    const topLevelAwait = options.format === 'cjs' || options.format === 'iife'
    const source = files['src/app.ts']
    const app = topLevelAwait ? source.replace('for (const', 'void (async () => { for (const').concat('})()') : source
    const project = createProject({ ...files, 'src/app.ts': app })
    const { result } = await bundle(project, { entryPoints: ['src/app.ts'], ...options })
    assert.equal(result.warnings, [])
    assert.is(runAlone(join(project, 'out'), run), answer)
  })
}

test('BP-05 nested entries and shared chunks find their files', async () => {
  const project = createProject({
    ...files,
    'src/a/b/deep.ts': `${program(['half', '../../models/half.model.ts'])}\nawait (await import('./later.ts')).default()\n`,
    'src/a/b/later.ts': `import triple from '../../models/triple.model.ts'\nexport default async () => console.log(...(await triple.run({ x: [1, 2] })).y.data)\n`,
  })
  const options = {
    entryPoints: ['src/app.ts', 'src/a/b/deep.ts'],
    splitting: true,
    chunkNames: 'chunks/[name]-[hash]',
    assetNames: 'assets/[name]-[hash]',
  }
  const { result } = await bundle(project, options)
  const outputs = Object.keys(result.metafile.outputs)
  assert.ok(
    outputs.some((path) => path.startsWith('out/chunks/')),
    'the shared model stands in a chunk',
  )
  assert.is(runAlone(join(project, 'out'), 'app.js'), answer)
  assert.is(runAlone(join(project, 'out'), 'a/b/deep.js'), `${answer}3 6\n`)
})

test('BP-05 write: false returns the files and touches nothing', async () => {
  const project = createProject(files)
  const { result } = await bundle(project, { entryPoints: ['src/app.ts'], write: false })
  assert.not(existsSync(join(project, 'out')))
  const folder = emptyFolder()
  writeFiles(
    folder,
    Object.fromEntries(result.outputFiles!.map(({ path, contents }) => [path.slice(join(project, 'out').length + 1), contents])),
  )
  assert.ok(readdirSync(folder).some((name) => name.endsWith('.wasm')))
  assert.is(runAlone(folder, 'app.js'), answer)
})

test('the metafile lists the files of a model under the entry that needs them', async () => {
  const project = createProject(files)
  const { result } = await bundle(project, { entryPoints: ['src/app.ts'] })
  const onDisk = readdirSync(join(project, 'out'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  assert.equal(
    onDisk.map(({ name }) => name).sort(),
    Object.keys(result.metafile.outputs)
      .map((path) => basename(path))
      .sort(),
  )
  for (const [path, { bytes }] of Object.entries(result.metafile.outputs))
    assert.is(readFileSync(join(project, path)).length, bytes)
})

test('a model may be an entry point of its own', async () => {
  const project = createProject({
    ...files,
    'use.mjs': `import half from './out/half.model.js'\nconsole.log(...(await half.run({ x: [1, 2] })).y.data)\nawait half.close()\n`,
  })
  await bundle(project, { entryPoints: ['src/models/half.model.ts'] })
  writeFiles(join(project, 'out'), {
    'use.mjs': `import half from './half.model.js'\nconsole.log(...(await half.run({ x: [1, 2] })).y.data)\nawait half.close()\n`,
  })
  assert.is(runAlone(join(project, 'out'), 'use.mjs'), '0.5 1\n')
})

test('the interpreter as target, alone and after wasm', async () => {
  const project = createProject(files)
  const { models } = await bundle(project, { entryPoints: ['src/app.ts'] }, { targets: ['interpreter'] })
  assert.equal(
    models.map(({ target }) => target),
    ['interpreter'],
  )
  assert.is(runAlone(join(project, 'out'), 'app.js'), answer.replace('wasm', 'interpreter'))
  const both = await bundle(
    project,
    { entryPoints: ['src/app.ts'] },
    { targets: ['wasm', 'interpreter'], verify: 'full', instances: 2 },
  )
  assert.equal(
    both.models.map(({ target }) => target),
    ['wasm', 'interpreter'],
  )
  assert.is(runAlone(join(project, 'out'), 'app.js'), answer)
})

test('what cannot work is said before anything is compiled', async () => {
  const project = createProject(files)
  const messageOf = (options: BuildOptions) =>
    bundle(project, { entryPoints: ['src/models/half.model.ts'], ...options }).then(
      () => 'built',
      (error) => error.errors.map(({ text }: { text: string }) => text).join(),
    )
  assert.match(await messageOf({ bundle: false }), /glowplug needs `bundle: true`/)
  assert.match(await messageOf({ outdir: undefined as never, write: false }), /glowplug needs `outdir` or `outfile`/)
})

test('a script that does not know where it is says so', async () => {
  const project = createProject(files)
  await bundle(project, { entryPoints: ['src/models/half.model.ts'], format: 'iife', globalName: 'half' })
  writeFiles(join(project, 'out'), {
    'package.json': '{ "type": "module" }',
    'page.mjs': `import { readFileSync } from 'node:fs'
const text = readFileSync(new URL('./half.model.js', import.meta.url), 'utf8')
const half = new Function('process', text + '; return half')(process).default
await half.run({ x: [1, 2] }).catch((error) => console.log(error.message))
process.exit()`,
  })
  assert.match(runAlone(join(project, 'out'), 'page.mjs'), /does not know where it is; bundle with format: "esm"/)
})

test('two builds are equal byte by byte, in whatever folder', async () => {
  const outputs = async () => {
    const project = createProject(files)
    const { result } = await bundle(project, { entryPoints: ['src/app.ts'], sourcemap: true, write: false }, { cache: false })
    return Object.fromEntries(
      result.outputFiles!.map(({ path, contents }) => [
        path.slice(dirname(project).length + basename(project).length + 2),
        Buffer.from(contents).toString('base64'),
      ]),
    )
  }
  assert.equal(await outputs(), await outputs())
})

test.after(cleanUp)
test.run()
