export { type Certainty, certainties, type Figure, type Provenance } from './figure.ts'
export { isPresetName, loadPreset, type PresetName, presets } from './presets/index.ts'
export { type DescribedPlatform, describePlatform, longestFile, PlatformError, readPlatform } from './read.ts'
export type { PlatformFile } from './schema.ts'
