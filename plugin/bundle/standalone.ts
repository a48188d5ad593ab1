// Becomes text: the module that `glowplug build` writes, loader and all. The text in front of it defines the manifest.
import { GlowplugError, open } from '../../targets/runtime/index.ts'

declare const GLOWPLUG_MANIFEST: unknown

export { GlowplugError }
export default open({ manifest: GLOWPLUG_MANIFEST, base: import.meta.url })
