import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { bundle, cleanUp, repository, scaleModel, scaleWeights } from '../esbuild/support.ts'
import { chromiumIsThere, launch, openPage, skipped } from '../vite/support.ts'
import { bundlers, createProject } from './support.ts'

const targets = ['wasm'] as const
const entry = { app: 'app.js' }
const files = {
  'app.js': `import half from './half.model.ts'
void half.run({ x: [1, 2] }).then(({ y }) => { document.title = [half.name, half.info.target, ...y.data].join(' ') }, (error) => { document.title = String(error) })
`,
  'half.model.ts': scaleModel('half'),
  'half.safetensors': scaleWeights([0.5, 0.25]),
}
const types: Readonly<Record<string, string>> = { '.html': 'text/html', '.mjs': 'text/javascript', '.js': 'text/javascript' }

/** Serves what was built under /static/, with a page for each script; the script lies elsewhere than the page. */
async function serve(folder: string): Promise<Server> {
  const server = createServer(({ url = '/' }, response) => {
    const { pathname, searchParams } = new URL(url, 'http://localhost')
    if (pathname === '/page/')
      return response
        .setHeader('content-type', 'text/html')
        .end(`<!doctype html><script ${searchParams.get('type')} src="${searchParams.get('script')}"></script>`)
    try {
      const bytes = readFileSync(join(folder, pathname.replace('/static/', '/')))
      response.setHeader('content-type', types[extname(pathname)] ?? 'application/octet-stream').end(bytes)
    } catch {
      response.writeHead(404).end()
    }
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return server
}

const script =
  (name: 'rollup' | 'rolldown', format: string, output: object = {}) =>
  (project: string) =>
    bundlers[name].build(
      project,
      {
        entry,
        output: { format, entryFileNames: 'code/app.js', assetFileNames: 'files/[name][extname]', ...output },
        input: name === 'rolldown' ? { platform: 'browser' } : {},
      },
      { targets, ...(name === 'rollup' && { environment: 'browser' }) },
    )
const page = (name: 'webpack' | 'rspack', publicPath?: string) => (project: string) =>
  bundlers[name].build(
    project,
    {
      entry,
      format: 'cjs',
      input: { target: 'web' },
      output: { filename: 'code/app.js', library: undefined, ...(publicPath && { publicPath }) },
    },
    { targets },
  )
const withEsbuild = (options: object) => async (project: string) => {
  await bundle(project, { entryPoints: { 'code/app': 'app.js' }, platform: 'browser', ...options }, { targets })
  return { warnings: [] }
}

const builds: Readonly<Record<string, (project: string) => Promise<{ error?: unknown; warnings: readonly string[] }>>> = {
  'esbuild, modules': withEsbuild({ format: 'esm', assetNames: 'files/[name]' }),
  'esbuild, a script': withEsbuild({ format: 'iife', assetNames: 'files/[name]' }),
  'esbuild, a public path': withEsbuild({ format: 'esm', publicPath: '/static/' }),
  'rollup, modules': script('rollup', 'es'),
  'rollup, a script': script('rollup', 'iife'),
  'rolldown, modules': script('rolldown', 'es'),
  'rolldown, a script': script('rolldown', 'iife'),
  'webpack, found at run time': page('webpack'),
  'webpack, a public path': page('webpack', '/static/'),
  'rspack, found at run time': page('rspack'),
}

if (chromiumIsThere) {
  const browser = await launch()
  for (const [name, build] of Object.entries(builds)) {
    test(`BP-05 in Chromium: ${name}`, async () => {
      const project = createProject(files)
      // Rollup has no other way to say where a project is, and projects share what they compiled by their paths in it.
      process.chdir(project)
      const { error, warnings } = await build(project)
      assert.equal([error, warnings], [undefined, []])
      const server = await serve(join(project, 'out'))
      const { page: tab, failures } = await openPage(browser)
      try {
        const { port } = server.address() as AddressInfo
        const type = name.includes('modules') || name.startsWith('esbuild, a public') ? 'type=module' : ''
        await tab.goto(`http://127.0.0.1:${port}/page/?type=${encodeURIComponent(type)}&script=/static/code/app.js`)
        await tab.waitForFunction(`document.title !== ''`)
        assert.equal([await tab.title(), failures], ['half wasm 0.5 0.5', []])
      } finally {
        await tab.close()
        server.closeAllConnections()
        server.close()
      }
    })
  }
  test.after(() => browser.close())
  test.after(() => process.chdir(repository))
} else skipped('bundlers/browser')

test.after(cleanUp)
test.run()
