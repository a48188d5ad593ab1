import type { OnnxGraph } from '../../model.ts'
import { stackedRows } from '../bounded/fit.ts'
import { extentsOf, openOf } from '../bounded/movement.ts'
import { highOf } from '../bounded/size.ts'
import { withBounds } from '../bounded/values.ts'
import type { Value } from '../context.ts'
import type { Entry } from '../environment.ts'
import { printable } from '../problem.ts'
import { range } from '../rules/shared.ts'
import {
  asScalar,
  type ControlSite,
  countNodes,
  graphAttribute,
  numberIn,
  present,
  type Results,
  refuseBounded,
  scalar,
  stop,
  tensor,
  writtenNodes,
  writtenTurns,
} from './site.ts'
import { importTurns } from './turns.ts'

/** Turns that are kept at most. */
const mostKept = 2 ** 20

/** ONNX Loop 1 to 25. */
export function importLoop(site: ControlSite): Results {
  const { node, d, entries } = site
  const body = graphAttribute(node, 'body')
  const carried = entries.slice(2).map((entry, i) => present(entry, `input ${i + 2}`))
  const [countEntry, conditionEntry] = entries
  const count = countEntry && site.knownOf(countEntry)
  const condition = conditionEntry && site.knownOf(conditionEntry)
  const begins = condition ? numberIn(condition) !== 0 : conditionEntry ? undefined : true
  const turns = count && Math.max(0, numberIn(count))
  if (turns !== undefined && begins !== undefined) {
    const written = writtenOut(site, body, begins ? turns : 0, carried)
    if (written) return written
  }
  if (carried.some(({ kind }) => kind === 'sequence' || kind === 'nothing'))
    stop(
      'it carries sequences of tensors, and how many turns it takes depends on data',
      'export the model with a fixed number of turns',
    )
  const limit = turns ?? limitOf(site, carried.length)
  if (body.outputs.length > 1 + carried.length && (limit === undefined || limit > mostKept))
    stop(
      'what it keeps of each turn has a size that depends on data',
      `--limit ${printable(node.outputs[carried.length] || 'value', 60)}=64 says how many turns there may be`,
    )
  const names = carried.map((_, i) => node.outputs[i] || (node.inputs[2 + i] ?? ''))
  const made = importTurns(site, {
    body,
    count: countEntry && (turns !== undefined && turns < mostKept ? turns : asScalar(d, site.tensorOf(countEntry), 'i64')),
    condition: conditionEntry && begins !== true ? asScalar(d, site.tensorOf(conditionEntry), 'bool') : undefined,
    limit: turns === undefined ? limit : undefined,
    carried,
    given: [],
    room: (i, axis) => site.limit(names[i]!, axis),
    nameOf: (i) => printable(names[i] || 'value', 60),
    turn(number, values, _, scope) {
      const [proceed, ...rest] = site.inside(body, [tensor(number), scalar('bool', 1), ...values], scope)
      return {
        carried: rest.slice(0, carried.length),
        proceed: asScalar(d, proceed!, 'bool'),
        kept: rest.slice(carried.length),
      }
    },
  })
  const isWhole = turns !== undefined && begins === true && proceedsAlways(site, body)
  const kept = made.kept.map((value) => {
    if (isWhole) return value
    const [, ...others] = extentsOf(value)
    return withBounds(site, value, openOf([{ value: made.turns, low: 0, high: limit ?? 0 }, ...others]))
  })
  return [...made.carried, ...kept].map(tensor)
}

/** How many turns there may be: as many as a size that data decides, or as somebody says. */
function limitOf(site: ControlSite, carried: number): number | undefined {
  const [count] = site.entries
  const counted = count?.kind === 'tensor' && count.list ? highOf(count.list.sizes[0]!) : Number.POSITIVE_INFINITY
  const said = site.node.outputs.slice(carried).flatMap((name) => site.limit(name) ?? [])[0]
  const limit = Math.min(counted, said ?? Number.POSITIVE_INFINITY)
  return Number.isFinite(limit) ? Math.max(0, limit) : undefined
}

/** Whether a body never ends its loop: its condition is the one that it was given, or true. */
function proceedsAlways(site: ControlSite, body: OnnxGraph): boolean {
  let name = body.outputs[0]!.name
  for (;;) {
    const source = name
    if (name === body.inputs[1]?.name) return true
    const maker = body.nodes.find(({ outputs }) => outputs.includes(source))
    if (maker?.op === 'Identity') name = maker.inputs[0]!
    else if (maker?.op === 'Constant') {
      const value = maker.attributes.get('value')
      return value?.kind === 'tensor' && value.value.read()[0] !== 0
    } else {
      const initializer = body.initializers.get(name)
      if (initializer) return initializer.read()[0] !== 0
      const outside = maker ? undefined : site.scope.get(name)
      const known = outside && site.knownOf(outside)
      return known !== undefined && numberIn(known) !== 0
    }
  }
}

/** A loop of known turns, one after the other; undefined where these are too many, or data decides which is the last. */
function writtenOut(site: ControlSite, body: OnnxGraph, turns: number, carried: readonly Entry[]): Results | undefined {
  const kept: Entry[][] = []
  let values = carried
  let nodes = 0
  const each = Math.max(1, countNodes(body))
  for (let turn = 0; turn < turns; turn++) {
    nodes += each
    if (nodes > writtenNodes || turn >= writtenTurns) return undefined
    const [proceed, ...rest] = site.beside(body, [scalar('i64', turn), scalar('bool', 1), ...values])
    if (!proceed || rest.some((entry) => !entry || entry.kind === 'poisoned')) return undefined
    values = (rest as Entry[]).slice(0, carried.length)
    kept.push((rest as Entry[]).slice(carried.length))
    const known = site.knownOf(proceed)
    if (!known) return undefined
    if (numberIn(known) === 0) break
  }
  const count = body.outputs.length - 1 - carried.length
  if (count > 0 && kept.length === 0) return undefined
  const rows = range(count).map((i): Value => {
    const parts = kept.map((row) => site.tensorOf(row[i]!))
    return stackedRows(site, parts) ?? refuseBounded('each turn keeps')
  })
  return [...values, ...rows.map(tensor)]
}
