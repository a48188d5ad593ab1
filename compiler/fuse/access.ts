import { denseStrides, elementCount, type Shape } from '../graph/index.ts'
import type { Access } from './kernel.ts'

/** An affine index into a tensor for each position of a domain: one access per dimension of the tensor. */
export type IndexMap = readonly Access[]

export const zeroAccess = (rank: number): Access => ({ offset: 0, strides: new Array<number>(rank).fill(0) })

/** The position itself, in row-major order. */
export const denseAccess = (domain: Shape): Access => ({ offset: 0, strides: denseStrides(domain) })

/** Each coordinate of the domain by itself. */
export const identityMap = (domain: Shape): IndexMap =>
  domain.map((_, axis) => ({ offset: 0, strides: domain.map((_, other) => (other === axis ? 1 : 0)) }))

/** factor · access + shift */
export const scaleAccess = (access: Access, factor: number, shift: number): Access => ({
  offset: access.offset * factor + shift,
  strides: access.strides.map((stride) => stride * factor),
})

/** The flat position in a dense tensor of `shape`. */
export function flatten(map: IndexMap, shape: Shape, rank: number): Access {
  const tensorStrides = denseStrides(shape)
  return map.reduce<Access>(
    (sum, access, axis) => ({
      offset: sum.offset + tensorStrides[axis]! * access.offset,
      strides: sum.strides.map((stride, d) => stride + tensorStrides[axis]! * access.strides[d]!),
    }),
    zeroAccess(rank),
  )
}

/**
 * The inverse of `flatten`: divides a flat position by the strides of `shape`, outermost first. Affine only where, at each division,
 * the terms that do not divide stay within one stride; undefined otherwise.
 */
export function unflatten(flat: Access, shape: Shape, domain: Shape): IndexMap | undefined {
  if (elementCount(domain) === 0 || elementCount(shape) === 0) return shape.map(() => zeroAccess(domain.length))
  const tensorStrides = denseStrides(shape)
  let rest = withoutFixed(flat, domain)
  const map: Access[] = []
  for (const [axis, extent] of shape.entries()) {
    if (extent === 1) {
      map.push(zeroAccess(domain.length))
      continue
    }
    const size = tensorStrides[axis]!
    const whole = rest.strides.map((stride) => (Number.isInteger(stride / size) ? stride / size : 0))
    const quotient: Access = { offset: Math.floor(rest.offset / size), strides: whole }
    rest = { offset: rest.offset - quotient.offset * size, strides: rest.strides.map((stride, d) => stride - whole[d]! * size) }
    const { least, most } = rangeOf(rest, domain)
    if (least < 0 || most >= size) return undefined
    map.push(quotient)
  }
  return map
}

/** Least and most of an access over a domain that is not empty. */
export function rangeOf(access: Access, domain: Shape): { least: number; most: number } {
  let [least, most] = [access.offset, access.offset]
  for (const [axis, extent] of domain.entries()) {
    const reach = access.strides[axis]! * (extent - 1)
    if (reach < 0) least += reach
    else most += reach
  }
  return { least, most }
}

/** Strides along dimensions of one element say nothing: 0. */
const withoutFixed = (access: Access, domain: Shape): Access => ({
  offset: access.offset,
  strides: access.strides.map((stride, axis) => (domain[axis]! <= 1 ? 0 : stride)),
})

export const sameAccess = (a: Access, b: Access): boolean =>
  a.offset === b.offset && a.strides.every((stride, axis) => stride === b.strides[axis])

/** Does position i of the domain read element i? Strides along dimensions of one element do not matter. */
export const isDense = (access: Access, domain: Shape): boolean =>
  sameAccess(withoutFixed(access, domain), withoutFixed(denseAccess(domain), domain))

/** One spelling for accesses that read the same: the dense one where it fits, else strides of 0 along dimensions of one element. */
export const canonicalAccess = (access: Access, domain: Shape): Access =>
  elementCount(domain) === 0 || isDense(access, domain) ? denseAccess(domain) : withoutFixed(access, domain)
