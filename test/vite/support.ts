import { existsSync, mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import glowplug, { type Options } from 'glowplug/vite'
import { type Browser, chromium, type Page } from 'playwright-core'
import { build, createLogger, type InlineConfig, type Logger, type LogOptions, type Plugin } from 'vite'
import { createProject as createPlainProject, type Files, repository, sharedCache } from '../esbuild/support.ts'

const chromiumPath = '/usr/bin/chromium'
export const chromiumIsThere = existsSync(chromiumPath)

/** Says that a test is skipped, the way the runner counts. */
export const skipped = (name: string) => console.log(`skipped: ${name} needs chromium`)

export const launch = (more: readonly string[] = []): Promise<Browser> =>
  chromium.launch({
    executablePath: chromiumPath,
    args: [
      ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
      ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
      ...more,
    ],
  })

/** A page that fails the test when a script of it throws; `consoleLines` is what it says. */
export async function openPage(browser: Browser): Promise<{ page: Page; consoleLines: string[]; failures: string[] }> {
  const page = await browser.newPage()
  page.setDefaultTimeout(120_000)
  const consoleLines: string[] = []
  const failures: string[] = []
  page.on('console', (message) => consoleLines.push(message.text()))
  page.on('pageerror', (error) => failures.push(String(error)))
  return { page, consoleLines, failures }
}

/** A project with Vite among its packages. */
export function createProject(files: Files): string {
  const folder = createPlainProject(files)
  mkdirSync(join(folder, 'node_modules'), { recursive: true })
  symlinkSync(join(repository, 'node_modules', 'vite'), join(folder, 'node_modules', 'vite'))
  return folder
}

export interface Recorder {
  readonly logger: Logger
  readonly errors: string[]
  readonly warnings: string[]
}

/** A logger that keeps what would be shown. */
export function recordLog(): Recorder {
  const errors: string[] = []
  const warnings: string[] = []
  const logger = createLogger('silent')
  logger.error = (text: string, _options?: LogOptions) => void errors.push(text)
  // On a busy machine Rolldown may remark that compiling took its time.
  logger.warn = (text: string, _options?: LogOptions) => void (text.includes('PLUGIN_TIMINGS') || warnings.push(text))
  return { logger, errors, warnings }
}

export const plugin = (options: Options = {}): Plugin =>
  glowplug({ cache: sharedCache, report: 'silent', targets: ['wasm'], ...options })

/** Builds a project without a configuration file, and without a warning. */
export async function bundle(root: string, config: InlineConfig, options: Options = {}): Promise<void> {
  const { logger, warnings } = recordLog()
  await build({
    root,
    configFile: false,
    logLevel: 'warn',
    customLogger: logger,
    ...config,
    plugins: [plugin(options), ...(config.plugins ?? [])],
  })
  if (warnings.length > 0) throw new Error(`the build warns:\n${warnings.join('\n')}`)
}
