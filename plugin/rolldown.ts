import { createRolldownPlugin } from 'unplugin'
import type { Options } from './options.ts'
import { createHooks, type Setting } from './rollupLike.ts'

export type { Options } from './options.ts'
export type { ModelSummary, Summary } from './report.ts'

/**
 * Compiles `*.model.ts` modules while Rolldown bundles them. Emitted files are assets of Rolldown: `assetFileNames`, several outputs,
 * code splitting and `preserveModules` treat them like any other.
 */
export default createRolldownPlugin<Options | undefined>((options = {}) => {
  let setting: Setting
  const hooks = createHooks(options, () => setting)
  return {
    name: 'glowplug',
    rolldown: {
      ...hooks,
      options({ cwd, platform, transform, logLevel }) {
        setting = {
          root: cwd ?? process.cwd(),
          // Unless it is said, Rolldown's `browser` is a default that servers get too.
          platform: options.environment ?? (platform === 'browser' ? 'browser' : 'node'),
          language: 'typescript',
          define: transform?.define ?? {},
          silent: logLevel === 'silent',
        }
      },
      resolveId: { order: 'pre', handler: hooks.resolveId },
      load: { order: 'pre', handler: hooks.load },
    },
  }
})
