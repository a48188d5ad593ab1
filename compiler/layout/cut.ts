// Minimum cuts: a problem of its own that knows no graphs of ops.

/** An edge costs its capacity where it leads from the source's side to the sink's. */
export interface CutEdge {
  readonly from: number
  readonly to: number
  /** A whole number, or infinite for what may not be cut. */
  readonly capacity: number
}

/** Vertices are numbered from 0. Some edge of finite capacity is on every way from source to sink. */
export interface CutProblem {
  readonly vertices: number
  readonly source: number
  readonly sink: number
  readonly edges: readonly CutEdge[]
}

/** Edges looked at, at most, before the search is given up: about a second. */
const defaultLimit = 1e8

/**
 * Which vertices are on the source's side of a cut of least capacity, as few of them as there can be; undefined where the search looked at
 * more than `limit` edges. Blocking flows over ever longer shortest paths (Y. Dinitz, 1970). How often depends on the lengths that occur:
 * near linear where most vertices have edges to the source or to the sink.
 */
export function minimumCut(problem: CutProblem, limit: number = defaultLimit): readonly boolean[] | undefined {
  const network = networkOf(problem)
  const distances = new Int32Array(problem.vertices)
  for (let looked = 0; looked < limit; ) {
    looked += measure(network, problem.source, distances)
    if (distances[problem.sink]! < 0) return Array.from(distances, (distance) => distance >= 0)
    looked += saturate(network, problem, distances, limit - looked)
  }
  return undefined
}

/** Edge e has its reverse at e ^ 1; those of vertex v are `list[first[v]]` up to, not including, `list[first[v + 1]]`. */
interface Network {
  readonly first: Int32Array
  readonly list: Int32Array
  readonly to: Int32Array
  /** What more an edge can carry. */
  readonly room: Float64Array
}

function networkOf({ vertices, edges }: CutProblem): Network {
  const [to, list] = [new Int32Array(2 * edges.length), new Int32Array(2 * edges.length)]
  const room = new Float64Array(2 * edges.length)
  const first = new Int32Array(vertices + 1)
  for (const { from, to: end } of edges) {
    first[from + 1]!++
    first[end + 1]!++
  }
  for (let v = 0; v < vertices; v++) first[v + 1]! += first[v]!
  const filled = first.slice()
  for (const [i, { from, to: end, capacity }] of edges.entries()) {
    to[2 * i] = end
    to[2 * i + 1] = from
    room[2 * i] = capacity
    list[filled[from]!++] = 2 * i
    list[filled[end]!++] = 2 * i + 1
  }
  return { first, list, to, room }
}

/** Writes each vertex's distance from the source over edges with room, −1 where there is no way. Returns how many edges it looked at. */
function measure({ first, list, to, room }: Network, source: number, distances: Int32Array): number {
  const queue = new Int32Array(distances.length)
  let looked = 0
  distances.fill(-1)
  distances[source] = 0
  queue[0] = source
  for (let [head, tail] = [0, 1]; head < tail; head++) {
    const vertex = queue[head]!
    for (let at = first[vertex]!; at < first[vertex + 1]!; at++, looked++) {
      const end = to[list[at]!]!
      if (room[list[at]!]! <= 0 || distances[end]! >= 0) continue
      distances[end] = distances[vertex]! + 1
      queue[tail++] = end
    }
  }
  return looked
}

/** Fills shortest paths from source to sink until each has an edge without room. Returns how many edges it looked at. */
function saturate(network: Network, { source, sink }: CutProblem, distances: Int32Array, limit: number): number {
  const { first, list, to, room } = network
  /** The edge of each vertex that is to be tried next. */
  const next = first.slice()
  const path: number[] = []
  let vertex = source
  let looked = 0
  while (looked < limit) {
    if (vertex === sink) {
      looked += path.length
      path.length = fill(path, room)
      vertex = path.length === 0 ? source : to[path.at(-1)!]!
      continue
    }
    let found = -1
    for (; next[vertex]! < first[vertex + 1]!; next[vertex]!++) {
      looked++
      const edge = list[next[vertex]!]!
      if (room[edge]! <= 0 || distances[to[edge]!] !== distances[vertex]! + 1) continue
      found = edge
      break
    }
    if (found >= 0) {
      path.push(found)
      vertex = to[found]!
    } else if (path.length === 0) break
    else {
      vertex = to[path.pop()! ^ 1]!
      next[vertex]!++
    }
  }
  return looked
}

/** Sends along a path what it can carry. Returns how many of its edges lead up to the first that is now full. */
function fill(path: readonly number[], room: Float64Array): number {
  const most = path.reduce((least, edge) => Math.min(least, room[edge]!), Number.POSITIVE_INFINITY)
  for (const edge of path) {
    room[edge]! -= most
    room[edge ^ 1]! += most
  }
  return path.findIndex((edge) => room[edge] === 0)
}
