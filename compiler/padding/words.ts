import { type Node, printType } from '../graph/index.ts'
import type { Axis, Family } from './state.ts'

const written: Readonly<Record<string, string>> = {
  reduceSum: 'sum',
  reduceProd: 'prod',
  reduceMax: 'max',
  reduceMin: 'min',
  reduceMean: 'mean',
  reduceL1: 'l1Norm',
  reduceL2: 'l2Norm',
  reduceSumSquare: 'sumOfSquares',
  reduceLogSumExp: 'logSumExp',
  topKIndices: 'topK',
  padWith: 'pad',
}

/** What the function is called that authors write for an op. */
export const opText = ({ op }: Node): string => written[op] ?? op

/** `axis 1 of f32[1, 32, 64]` */
export const placeOf = (family: Family, axis: number): string => `axis ${axis} of ${printType(family[0]!.type)}`

/** The mask of an axis as an author writes it, broadcasting along the dimensions behind. */
export function maskText({ extent }: Axis, trailing: number): string {
  const { dim, times, plus, over } = extent
  if (times !== 1 || plus !== 0 || over !== 1) return `a mask of ${trailing > 0 ? 'the shape of that axis' : 'that axis'}`
  const mask = `validMask(${dim})`
  return trailing === 0 ? mask : `reshape(${mask}, [${[dim, ...new Array(trailing).fill('1')].join(', ')}])`
}

/** `where(validMask(seq), x, 0)` */
export const whereText = (axis: Axis, trailing: number, value: string): string =>
  `where(${maskText(axis, trailing)}, x, ${value})`
