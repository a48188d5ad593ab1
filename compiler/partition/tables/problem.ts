// Where embedding tables go: a plain problem and its solution.

export interface Table {
  /** Unique in a problem. */
  readonly name: string
  readonly rows: number
  /** Of one row; `elements` of them are alike, and rows may be cut between any two. */
  readonly rowBytes: number
  readonly elements: number
  /** Rows that a request is expected to pick. */
  readonly lookups: number
  /** Bytes beside the table that must be where it is, and work there for each request: of operators that move with it. */
  readonly besideBytes?: number
  readonly besideSeconds?: number
}

/** A card, or whatever holds tables. */
export interface Holder {
  readonly name: string
  /** Bytes for tables: what other parts take is taken off. */
  readonly bytes: number
  /** Seconds for each byte that a lookup reads of a table of `tableBytes`, by the memory that such a table lies in. */
  readonly secondsPerByte: (tableBytes: number) => number
  /** Seconds for each lookup, however short its row. */
  readonly secondsPerLookup: number
  /** Seconds that each request takes there for other reasons. */
  readonly otherSeconds: number
}

export interface TableProblem {
  readonly tables: readonly Table[]
  readonly holders: readonly Holder[]
}

/**
 * A table or a part of one, on one holder. Parts of a table by rows take those whose number leaves `from` … `to - 1` when divided by `of`,
 * so that popular neighbours are spread, and give sums to be added; parts by columns take elements and give columns to be joined.
 */
export type Piece = {
  readonly table: string
  readonly holder: string
} & (
  | { readonly by: 'whole' }
  | { readonly by: 'rows'; readonly part: number; readonly parts: number }
  | { readonly by: 'columns'; readonly from: number; readonly to: number }
)

export interface TablePlacement {
  /** In the order of the tables, parts of one in their order. */
  readonly pieces: readonly Piece[]
}

/** Why there is no placement: the holders cannot hold the tables, however they are cut. */
export interface TooLarge {
  readonly tables: number
  readonly needed: number
  readonly available: number
}
