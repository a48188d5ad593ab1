import { execFileSync } from 'node:child_process'
import { appendFileSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { bundle, cleanUp, createProject, emptyFolder, program, runAlone, scaleModel, scaleWeights } from './support.ts'

const files = {
  'app.ts': program(['half', './half.model.ts']),
  'half.model.ts': scaleModel('half'),
  'half.safetensors': scaleWeights([0.5, 0.5]),
}
const entryPoints = ['app.ts']
/** The cache does not care, and this target needs no C compiler. */
const targets = ['interpreter'] as const
/** Files that change while a build reads them are not cached; a build right after a write cannot tell. */
const settled = () => new Promise((done) => setTimeout(done, 40))
const outputsOf = (project: string) =>
  Object.fromEntries(
    readdirSync(join(project, 'out')).map((name) => [name, readFileSync(join(project, 'out', name)).toString('base64')]),
  )

test('BP-07 the second build takes the model from node_modules/.cache and writes the same bytes', async () => {
  const project = createProject(files)
  const build = () => bundle(project, { entryPoints }, { targets, cache: undefined as never })
  await settled()
  assert.equal(
    (await build()).models.map(({ cached }) => cached),
    [false],
  )
  assert.ok(existsSync(join(project, 'node_modules/.cache/glowplug/entries')))
  const first = outputsOf(project)
  rmSync(join(project, 'out'), { recursive: true })
  assert.equal(
    (await build()).models.map(({ cached }) => cached),
    [true],
  )
  assert.equal(outputsOf(project), first)
  assert.is(runAlone(join(project, 'out'), 'app.js'), 'half interpreter 0.5 1\n')
})

test('BP-07 a changed option, define, model or weights file is compiled; the earlier state is found again', async () => {
  const project = createProject(files)
  const cache = emptyFolder()
  const cached = async (options: object = {}, plugin: object = {}) => {
    await settled()
    return (await bundle(project, { entryPoints, ...options }, { targets, cache, ...plugin })).models[0]!.cached
  }
  assert.not(await cached())
  assert.ok(await cached())
  assert.not(await cached({ define: { A: '1' } }))
  assert.not(await cached({}, { instances: 2 }))
  assert.not(await cached({}, { targets: ['interpreter', 'wasm'] }))
  writeFileSync(join(project, 'half.safetensors'), scaleWeights([0.5, 4]))
  assert.not(await cached())
  assert.is(runAlone(join(project, 'out'), 'app.js'), 'half interpreter 0.5 8\n')
  appendFileSync(join(project, 'half.model.ts'), '\nexport const more = 1\n')
  assert.not(await cached())
  writeFileSync(join(project, 'half.model.ts'), files['half.model.ts'])
  writeFileSync(join(project, 'half.safetensors'), files['half.safetensors'])
  assert.ok(await cached())
  assert.is(runAlone(join(project, 'out'), 'app.js'), 'half interpreter 0.5 1\n')
})

test('BP-07 damaged entries are compiled anew', async () => {
  const project = createProject(files)
  const cache = emptyFolder()
  await settled()
  await bundle(project, { entryPoints }, { targets, cache })
  const first = outputsOf(project)
  for (const entry of readdirSync(join(cache, 'entries'), { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    const bytes = readFileSync(path)
    bytes[bytes.length - 1]! ^= 1
    writeFileSync(path, bytes)
  }
  const { models } = await bundle(project, { entryPoints }, { targets, cache })
  assert.equal(
    models.map(({ cached }) => cached),
    [false],
  )
  assert.equal(outputsOf(project), first)
})

test('BP-07 three builds at once share a cache', async () => {
  const project = createProject(files)
  const cache = emptyFolder()
  await settled()
  await Promise.all(['a', 'b', 'c'].map((outdir) => bundle(project, { entryPoints, outdir }, { targets, cache })))
  for (const outdir of ['a', 'b', 'c']) assert.is(runAlone(join(project, outdir), 'app.js'), 'half interpreter 0.5 1\n')
  assert.ok((await bundle(project, { entryPoints }, { targets, cache })).models[0]!.cached)
})

test('a build that finds everything in the cache loads neither extractor nor compiler', async () => {
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
    'build.mjs': `import { build } from 'esbuild'
import glowplug from 'glowplug/esbuild'
await build({ entryPoints: ['app.ts'], outdir: 'out', bundle: true, platform: 'node', format: 'esm', plugins: [glowplug({ cache: 'kept', report: ({ models }) => console.log(models[0].cached) })] })
`,
  })
  const loaded = () => {
    rmSync(join(project, 'loaded.txt'), { force: true })
    const cached = execFileSync(process.execPath, ['--import', './register.mjs', 'build.mjs'], {
      cwd: project,
      encoding: 'utf8',
    }).trim()
    return { cached, modules: readFileSync(join(project, 'loaded.txt'), 'utf8') }
  }
  const cold = loaded()
  assert.is(cold.cached, 'false')
  for (const heavy of ['ts-morph', 'zod', '@yowasp/clang'])
    assert.ok(cold.modules.includes(`node_modules/${heavy}/`), `a cold build loads ${heavy}`)
  const warm = loaded()
  assert.is(warm.cached, 'true')
  for (const heavy of ['ts-morph', 'zod', '@yowasp/clang', '/compileModelFile'])
    assert.not(warm.modules.includes(heavy), `a warm build loads no ${heavy}`)
})

test.after(cleanUp)
test.run()
