// The platform of "First-Generation Inference Accelerator Deployment at Facebook" (arXiv 2107.04140), as far as it is public.
import type { Figure } from '../figure.ts'
import type { PlatformFile } from '../schema.ts'

const paper = 'arXiv 2107.04140, abstract'
const hotChips = 'Intel NNP-I 1000 "Spring Hill", Hot Chips 31 (2019) and product brief'
const glow = 'Glow, lib/Backends/NNPI'
const pcie = 'PCI Express 3.0, 8 GT/s a lane, 128b/130b'
const openCompute = 'Open Compute Project: Twin Lakes, Glacier Point v2, M.2 accelerator v0.1'

const published = (value: number, source: string): Figure => ({ value, source, certainty: 'published' })
const verified = (value: number, source: string): Figure => ({ value, source, certainty: 'verified' })
const derived = (value: number, source: string): Figure => ({ value, source, certainty: 'derived' })
const assumed = (value: number, source = 'nobody says; a parameter'): Figure => ({ value, source, certainty: 'assumed' })

const mebi = 2 ** 20
const gibi = 2 ** 30
/** Of a chip with all twelve inference engines. */
const engines = 12
const operationsOfInt8 = 50e12

/** An M.2 card of so many inference engines; chips are sold with 8, 10 and 12. */
const card = (cores: number): PlatformFile['types'][string] => ({
  cores: published(cores, hotChips),
  operationsPerSecond: {
    int8:
      cores === engines
        ? published(operationsOfInt8, hotChips)
        : derived((operationsOfInt8 * cores) / engines, `${cores} of ${engines} engines; ${hotChips}`),
    f16: assumed((operationsOfInt8 * cores) / engines / 8, 'an eighth of int8; the ratio is not published'),
    f32: assumed((operationsOfInt8 * cores) / engines / 32, 'by the vector processors alone; not published'),
  },
  memory: [
    { name: 'TCM', bytes: published(3 * mebi, hotChips), bytesPerSecond: published(68e12, hotChips) },
    { name: 'SRAM', bytes: published(48 * mebi, hotChips), bytesPerSecond: published(6.8e12, hotChips) },
    { name: 'LLC', bytes: published(24 * mebi, hotChips), bytesPerSecond: published(680e9, hotChips) },
    {
      name: 'LPDDR',
      bytes: verified(16 * gibi, `default of ${glow}; M.2 cards have as much`),
      bytesPerSecond: published(67.2e9, hotChips),
    },
  ],
  utilisation: { arithmetic: assumed(0.5), lookups: assumed(0.7) },
  launchSeconds: assumed(10e-6),
  watts: { idle: assumed(3), busy: published(12, hotChips) },
  link: { bytesPerSecond: derived(3.94e9, `×4 lanes of ${pcie}`), latencySeconds: assumed(1e-6) },
})

const platform = (name: string, cores: number): PlatformFile => ({
  name,
  host: {
    cores: assumed(16, `a single socket of the Skylake-D class; ${openCompute}`),
    operationsPerSecond: { int8: assumed(2.2e12), f16: assumed(1.1e12), f32: assumed(1.1e12) },
    memory: [
      {
        name: 'cache',
        bytes: assumed(22 * mebi),
        bytesPerSecond: verified(1024 * gibi, 'example of a CPU in the tests of the partitioner of Glow'),
      },
      {
        name: 'DRAM',
        bytes: assumed(64 * gibi),
        bytesPerSecond: verified(110 * gibi, 'example of a CPU in the tests of the partitioner of Glow'),
      },
    ],
    utilisation: { arithmetic: assumed(0.5), lookups: assumed(0.7) },
    launchSeconds: assumed(1e-6),
    watts: { idle: assumed(30), busy: assumed(85) },
  },
  network: { bytesPerSecond: published(6.25e9, `50 Gb/s a host; ${openCompute}`), latencySeconds: assumed(20e-6) },
  uplink: { bytesPerSecond: assumed(15.75e9, `×16 lanes of ${pcie}, shared by all cards`), latencySeconds: assumed(1e-6) },
  peerToPeer: true,
  types: { 'M.2 card': card(cores) },
  cards: [{ type: 'M.2 card', count: published(6, paper) }],
})

/** Six cards of twelve inference engines each, and of the ten and eight that the chip is also sold with. */
export const sixCards = platform('six cards', engines)
export const sixCardsOf10 = platform('six cards of 10 cores', 10)
export const sixCardsOf8 = platform('six cards of 8 cores', 8)
