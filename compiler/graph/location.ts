/** A place in a source file; line and column count from 1, `end*` is exclusive. */
export interface Span {
  readonly file: string
  readonly line: number
  readonly column: number
  readonly endLine?: number
  readonly endColumn?: number
}

/** Where a node comes from: the op's call, and the helper calls that led there, innermost first. Never absent; unknown is explicit. */
export type Location =
  | { readonly kind: 'unknown' }
  | { readonly kind: 'source'; readonly span: Span; readonly calls: readonly Span[] }

export const unknownLocation: Location = { kind: 'unknown' }

export const printSpan = (span: Span): string => `${span.file}:${span.line}:${span.column}`
export const printLocation = (location: Location): string => (location.kind === 'unknown' ? 'unknown' : printSpan(location.span))
