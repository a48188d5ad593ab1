// Becomes text: the module that `glowplug build` writes, loader and all, for a model with state. The text in front of it defines the manifest.
import { GlowplugError, openBucketsSessions, withBounds } from '../../targets/runtime/index.ts'

declare const GLOWPLUG_MANIFEST: unknown

export { GlowplugError }
export default withBounds(openBucketsSessions({ manifest: GLOWPLUG_MANIFEST, base: import.meta.url }))
