import { createWebpackPlugin } from 'unplugin'
import type { Message } from './messages.ts'
import type { Options } from './options.ts'
import { type Compiler, install } from './webpackLike.ts'

export type { Options } from './options.ts'
export type { ModelSummary, Summary } from './report.ts'

/**
 * Compiles `*.model.ts` modules while webpack 5 bundles them. Emitted files are asset modules: `output.assetModuleFilename`, code
 * splitting and the cache of webpack treat them like any other. Model modules come out as JavaScript, whatever other rules say.
 */
export default createWebpackPlugin<Options | undefined>((options = {}) => ({
  name: 'glowplug',
  webpack(compiler) {
    install(compiler as unknown as Compiler, options)
    // webpack wraps what a loader throws, and shows the place that the wrapper has.
    compiler.hooks.compilation.tap('glowplug', ({ hooks }) =>
      // Where the loader failed too, since its errors are part of the module.
      hooks.succeedModule.tap('glowplug', (module) => {
        for (const failure of module.getErrors() ?? []) {
          const { place } = ((failure as { error?: unknown }).error ?? {}) as { place?: Message['loc'] }
          // It stands behind the name of the module: the place in another file only in the text.
          if (place && place.file === (module as { resource?: unknown }).resource)
            Object.assign(failure, { loc: { start: place } })
        }
      }),
    )
  },
}))
