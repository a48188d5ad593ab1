// Becomes text: the module that `glowplug build` writes, loader and all, where outputs are as large as data says. The text in front of it defines the manifest.
import { GlowplugError, openBuckets, withBounds } from '../../targets/runtime/index.ts'

declare const GLOWPLUG_MANIFEST: unknown

export { GlowplugError }
export default withBounds(openBuckets({ manifest: GLOWPLUG_MANIFEST, base: import.meta.url }))
