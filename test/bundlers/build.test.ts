import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { SourceMap } from 'node:module'
import { basename, join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { cleanUp, emptyFolder, program, runAlone, scaleModel, scaleWeights } from '../esbuild/support.ts'
import { bundlers, createProject, type Name, names, type Settings } from './support.ts'

/** The bundler does not care what the code is, and this target needs no C compiler. */
const targets = ['interpreter'] as const
const entry = { app: 'src/app.js' }
const files = {
  'src/app.js': program(['half', './models/half.model.ts'])
    .replace('for (const', 'void (async () => { for (const')
    .concat('})()'),
  'src/other-loader.cjs': `module.exports = () => { throw new Error('not for you') }`,
  'src/models/half.model.ts': scaleModel('half'),
  'src/models/half.safetensors': scaleWeights([0.5, 0.25]),
}
const answer = 'half interpreter 0.5 0.5\n'
/** Files that change while a build reads them are not cached; a build right after a write cannot tell. */
const settled = () => new Promise((done) => setTimeout(done, 40))
const outputsOf = (folder: string) =>
  Object.fromEntries(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((file) => file.isFile())
      .map((file) => join(file.parentPath, file.name))
      .sort()
      .map((path) => [path.slice(folder.length + 1), readFileSync(path, 'utf8')]),
  )
const isWebpack = (name: Name) => name === 'webpack' || name === 'rspack'

/** Where the outputs lie and how they are named must not matter to the program. */
const layouts = (name: Name): Readonly<Record<string, { readonly settings: Partial<Settings>; readonly run: string }>> =>
  isWebpack(name)
    ? {
        'CommonJS, for development': { settings: { format: 'cjs', input: { mode: 'development' } }, run: 'app.cjs' },
        'minified, a nested entry, assets beside it, the public path of a web server': {
          settings: {
            input: { optimization: { minimize: true } },
            output: {
              filename: 'a/b/[name].mjs',
              assetModuleFilename: 'files/[name][ext]',
              publicPath: 'https://cdn.example/x/',
            },
          },
          run: 'a/b/app.mjs',
        },
        'wasm as modules switched on, rules of others for all files': {
          settings: {
            input: {
              experiments: { outputModule: true, asyncWebAssembly: true },
              module: { rules: [{ test: /\.(?:ts|mjs|weights|wasm)$/, use: './src/other-loader.cjs' }] },
            },
          },
          run: 'app.mjs',
        },
      }
    : {
        'CommonJS, assets above it': {
          settings: { format: 'cjs', output: { entryFileNames: 'a/b/[name].cjs', assetFileNames: 'files/[name][extname]' } },
          run: 'a/b/app.cjs',
        },
        'one file for each module': {
          settings: { output: { preserveModules: true, preserveModulesRoot: '.', entryFileNames: '[name].mjs' } },
          run: 'app.mjs',
        },
        'a script that Node runs': {
          settings: { format: 'cjs', output: { format: 'iife', entryFileNames: 'deep/[name].cjs' } },
          run: 'deep/app.cjs',
        },
      }

for (const name of names) {
  const { build } = bundlers[name]

  for (const [layout, { settings, run }] of Object.entries(layouts(name))) {
    test(`BP-05 ${name}: the output alone runs: ${layout}`, async () => {
      const project = createProject(files)
      const { error, warnings } = await build(project, { entry, ...settings }, { targets })
      assert.equal([error, warnings], [undefined, []])
      const out = join(project, 'out')
      const at = existsSync(join(out, run)) ? run : join('src', run)
      assert.is(runAlone(out, at), answer)
    })
  }

  test(`${name}: a file of two models brings what is used; its other exports are JavaScript, mapped to the source`, async () => {
    const source = `${scaleModel('half')}
export const unused = model({ name: 'unused', inputs: { x: tensor('f32', [2]) }, forward: ({ x }) => ({ y: mul(x, w.get('scale', 'f32', [2])) }) })
export interface Described { readonly text: string }
export function describe<T extends Described>(value: T, more: number = 2 satisfies number): string {
  return value!.text + ' is ' + (more as unknown as string)
}
`
    const project = createProject({
      ...files,
      'src/models/half.model.ts': source,
      'src/app.js': `import half, { describe } from './models/half.model.ts'\nconsole.log(describe({ text: 'two' }))\nvoid half.run({ x: [1, 2] }).then(({ y }) => { console.log(...y.data); return half.close() })\n`,
    })
    const more = isWebpack(name) ? { input: { devtool: 'source-map' } } : { output: { sourcemap: true } }
    const { models, error } = await build(project, { entry, ...more }, { targets })
    assert.is(error, undefined)
    assert.equal(
      models.map(({ model, file }) => `${basename(file)} ${model}`),
      ['half.model.ts half', 'half.model.ts unused'],
    )
    const out = join(project, 'out')
    assert.is(runAlone(out, 'app.mjs'), 'two is 2\n0.5 0.5\n')
    const text = readFileSync(join(out, 'app.mjs'), 'utf8')
    for (const marker of ['forward', 'tensor(', 'safetensors', 'data_offsets', project]) assert.not(text.includes(marker), marker)
    if (!isWebpack(name)) assert.not(readdirSync(out, { recursive: true }).some((file) => String(file).includes('unused')))

    const lines = text.split('\n')
    const line = lines.findIndex((each) => each.includes(`' is '`) || each.includes('" is "'))
    const found = new SourceMap(JSON.parse(readFileSync(join(out, 'app.mjs.map'), 'utf8'))).findEntry(
      line,
      lines[line]!.search(/["'] is ["']/),
    ) as { originalSource: string; originalLine: number; originalColumn: number }
    assert.match(found.originalSource, /half\.model\.ts$/)
    const original = source.split('\n')[found.originalLine]!
    assert.is(
      found.originalLine,
      source.split('\n').findIndex((each) => each.includes(`' is '`)),
    )
    assert.ok(Math.abs(found.originalColumn - original.indexOf(`' is '`)) < 5, `column ${found.originalColumn}`)
  })

  test(`BP-07 ${name}: the second build takes the model from node_modules/.cache and writes the same bytes, as does one elsewhere`, async () => {
    const project = createProject(files)
    const build2 = () => build(project, { entry }, { targets, cache: undefined as never })
    const cached = async () => (await build2()).models.map((model) => model.cached)
    await settled()
    const here = process.cwd()
    // Rollup has no other way to say where a project is.
    process.chdir(project)
    try {
      assert.equal(await cached(), [false])
      const first = outputsOf(join(project, 'out'))
      rmSync(join(project, 'out'), { recursive: true })
      assert.equal(await cached(), [true])
      assert.equal(outputsOf(join(project, 'out')), first)
      const other = createProject(files)
      process.chdir(other)
      await build(other, { entry }, { targets })
      assert.equal(outputsOf(join(other, 'out')), first)
    } finally {
      process.chdir(here)
    }
  })

  test(`${name}: options are checked, all at once`, async () => {
    const project = createProject(files)
    const { error } = await build(project, { entry }, { target: ['wasm'], instances: 0 } as never)
    assert.match(error!.text, /no option 'target'; did you mean 'targets'\?/)
    assert.match(error!.text, /'instances' must be a positive whole number/)
  })

  test(`${name}: what runs in a browser gets the loader for browsers, and wasm alone`, async () => {
    const project = createProject(files)
    const { error } = await build(project, { entry, format: 'es' }, { targets: ['interpreter'], environment: 'browser' })
    assert.match(error!.text, /a browser runs wasm alone/)
  })
}

test('BP-07 bundlers that read the same language share what is compiled', async () => {
  const project = createProject(files)
  const cache = emptyFolder()
  const here = process.cwd()
  process.chdir(project)
  try {
    await settled()
    const cached = async (name: Name) => (await bundlers[name].build(project, { entry }, { targets, cache })).models[0]!.cached
    assert.equal([await cached('webpack'), await cached('rspack')], [false, true])
    assert.is(runAlone(join(project, 'out'), 'app.mjs'), answer)
    assert.equal([await cached('rollup'), await cached('rollup')], [false, true])
    assert.is(runAlone(join(project, 'out'), 'app.mjs'), answer)
  } finally {
    process.chdir(here)
  }
})

/** Builds in a fresh process, which writes down every module that it loads. */
const observed: Readonly<Record<string, string>> = {
  rollup: `import { rollup } from 'rollup'
const built = await rollup({ input: 'src/app.js', plugins: [plugin] })
await built.write({ dir: 'out', format: 'es' })
await built.close()`,
  webpack: `import webpack from 'webpack'
await new Promise((done) => webpack({ mode: 'production', target: 'node', entry: './src/app.js', plugins: [plugin] }, (_, stats) => done(stats)))`,
}

for (const [name, script] of Object.entries(observed)) {
  test(`${name}: a build that finds everything in the cache loads neither extractor nor compiler`, async () => {
    const project = createProject({
      ...files,
      'hooks.mjs': `import { appendFileSync } from 'node:fs'
export async function resolve(specifier, context, next) {
  const found = await next(specifier, context)
  appendFileSync('loaded.txt', found.url + '\\n')
  return found
}
`,
      'register.mjs': `import { register } from 'node:module'\nregister('./hooks.mjs', import.meta.url)\n`,
      'build.mjs': `import glowplug from 'glowplug/${name}'
const plugin = glowplug({ targets: ['interpreter'], report: ({ models }) => console.log(models[0].cached) })
${script}
`,
    })
    await settled()
    const loaded = () => {
      rmSync(join(project, 'loaded.txt'), { force: true })
      const cached = execFileSync(process.execPath, ['--import', './register.mjs', 'build.mjs'], {
        cwd: project,
        encoding: 'utf8',
      })
      return { cached: cached.trim(), modules: readFileSync(join(project, 'loaded.txt'), 'utf8') }
    }
    const cold = loaded()
    assert.is(cold.cached, 'false')
    assert.ok(cold.modules.includes('node_modules/ts-morph/'))
    const warm = loaded()
    assert.is(warm.cached, 'true')
    for (const heavy of ['ts-morph', '/zod/', '@yowasp/clang', '/compileModelFile'])
      assert.not(warm.modules.includes(heavy), `a warm build loads no ${heavy}`)
  })
}

test('webpack: its own cache on disk keeps models and their files, until an option changes', async () => {
  const project = createProject(files)
  const input = { cache: { type: 'filesystem', cacheDirectory: join(project, 'kept') } }
  const build = (options: object = {}) => {
    rmSync(join(project, 'out'), { recursive: true, force: true })
    return bundlers.webpack.build(project, { entry, input }, { targets, cache: false, ...options })
  }
  await settled()
  assert.is((await build()).models.length, 1)
  assert.is((await build()).models.length, 0, 'nothing is left to do')
  assert.is(runAlone(join(project, 'out'), 'app.mjs'), answer)
  assert.is((await build({ instances: 2 })).models.length, 1)
  assert.is(runAlone(join(project, 'out'), 'app.mjs'), answer)
})

test('rollup: several outputs of one build, each with addresses of its own', async () => {
  const project = createProject(files)
  const { rollup } = await import('rollup')
  const { default: glowplug } = await import('glowplug/rollup')
  const built = await rollup({
    input: join(project, 'src/app.js'),
    plugins: [glowplug({ targets, cache: false, report: 'silent' })],
  })
  const write = (dir: string, more: object) => built.write({ dir: join(project, dir), format: 'es', ...more })
  await Promise.all([
    write('one', { entryFileNames: 'app.mjs' }),
    write('two', { entryFileNames: 'deep/app.mjs', assetFileNames: 'other/[hash][extname]' }),
  ])
  await built.close()
  assert.is(runAlone(join(project, 'one'), 'app.mjs'), answer)
  assert.is(runAlone(join(project, 'two'), 'deep/app.mjs'), answer)
  assert.ok(readdirSync(join(project, 'two')).includes('other'))
  const single = await rollup({
    input: join(project, 'src/app.js'),
    plugins: [glowplug({ targets, cache: false, report: 'silent' })],
  })
  await single.write({ file: join(project, 'three/named.mjs'), format: 'es' })
  await single.close()
  assert.is(runAlone(join(project, 'three'), 'named.mjs'), answer)
})

test('rollup: a loader that `external` would leave outside is told', async () => {
  const project = createProject(files)
  const { error } = await bundlers.rollup.build(
    project,
    { entry, input: { external: (id: string) => /^glowplug/.test(id) } },
    { targets },
  )
  assert.match(error!.text, /`external` takes the loader out of the bundle/)
})

test.after(cleanUp)
test.run()
