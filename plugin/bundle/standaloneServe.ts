// Becomes text: the module that `glowplug build --platform` writes, with all that serves in it. The text in front of it defines the placement.
import { GlowplugError, type ServeOptions, serve } from '../../targets/runtime/serve/index.ts'

declare const GLOWPLUG_PLACEMENT: unknown

const source = { placement: GLOWPLUG_PLACEMENT, base: import.meta.url }

export { GlowplugError }
/** Serves the model once more, with other options. */
export const open = (options?: ServeOptions) => serve(source, options)
export default open()
