// Becomes text: the module that `glowplug build` writes, loader and all, where dimensions have several sizes. The text in front of it defines the manifest.
import { GlowplugError, openBuckets } from '../../targets/runtime/index.ts'

declare const GLOWPLUG_MANIFEST: unknown

export { GlowplugError }
export default openBuckets({ manifest: GLOWPLUG_MANIFEST, base: import.meta.url })
