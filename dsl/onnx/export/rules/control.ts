import { elementsOf, type Graph, resultsOf, type TensorType } from '../../../../compiler/graph/index.ts'
import type { ExportContext, ExportRules, Ref } from '../context.ts'

const counter: TensorType = { dtype: 'i64', shape: [] }
const flag: TensorType = { dtype: 'bool', shape: [] }

const outputTypes = (body: Graph): TensorType[] =>
  body.outputs.map(({ value: { type } }) => ({ dtype: type.dtype, shape: type.shape }))

/** Whether the one element is known to be another than 0. */
const isTrue = (ref: Ref, c: ExportContext): boolean => (c.known(ref)?.[0] ?? 0) !== 0

/** What turns gave, with zeros for turns that there were not: ONNX gives as many as there were. */
function filledUp(kept: Ref, type: TensorType, c: ExportContext): Ref {
  const zero = c.constant(type.dtype, [], [0])
  const shape = c.constant('i64', [type.shape.length], type.shape)
  const [zeros] = c.emitAll('Expand', [zero, shape], [type])
  const long = { ...type, shape: [2 * type.shape[0]!, ...type.shape.slice(1)] }
  const [both] = c.emitAll('Concat', [kept, zeros], [long], { axis: 0 })
  const one = (value: number) => c.constant('i64', [1], [value])
  return c.emitAll('Slice', [both, one(0), one(type.shape[0]!), one(0)], [type])[0]!
}

/** No more turns than there is room for what they give: more are an error of the model, of which a file cannot tell. */
function bounded(count: Ref, limit: number, c: ExportContext): Ref {
  const known = turnsIn(count, c)
  if (known !== undefined) return known <= limit ? count : c.constant('i64', [], [limit])
  return c.emit('Min', [count, c.constant('i64', [], [limit])], counter)
}

const turnsIn = (count: Ref, c: ExportContext): number | undefined => {
  const bytes = c.known(count)
  return bytes && elementsOf('i64', bytes).get(0)
}

/** Ops that run graphs of their own: what these take from around them they take by name. */
export const controlRules: Pick<ExportRules, 'loop' | 'branch' | 'resultOf'> = {
  loop({ inputs }, { carried, limit }, c) {
    const [count, condition, ...rest] = inputs as [Ref, Ref, ...Ref[]]
    const body = c.bodies[0]!
    const outputs = outputTypes(body)
    const layout = resultsOf('loop', outputs, { carried, limit })
    const values = rest.slice(0, carried)
    const named = (name: string, type: TensorType): Ref => ({ name: c.unique(name), type })
    const [turn, go] = [named('turn', counter), named('go', flag)]
    const inside = values.map(({ type }) => named('carried', type))
    // How many turns there were is carried too, where somebody asks.
    const counts = c.wantsResult(0)
    const turnsInside = counts ? [named('turns', counter)] : []
    const given = [turn, ...inside, ...rest.slice(carried)]
    const graph = c.body(0, given, [turn, go, ...inside, ...turnsInside], ([proceed, ...results], inner) => [
      proceed!,
      ...results.slice(0, carried),
      ...(counts ? [inner.emit('Add', [turn, inner.constant('i64', [], [1])], counter)] : []),
      ...results.slice(carried),
    ])
    const kept = layout.types.slice(1 + carried)
    const made = c.emitAll(
      'Loop',
      [
        kept.length > 0 ? bounded(count, limit, c) : count,
        isTrue(condition, c) ? undefined : condition,
        ...values,
        ...(counts ? [c.constant('i64', [], [0])] : []),
      ],
      [...layout.types.slice(1, 1 + carried), ...(counts ? [counter] : []), ...kept],
      { body: { kind: 'graph', value: graph } },
    )
    const isWhole = turnsIn(count, c) === limit && isTrue(condition, c) && body.outputs[0]!.value.data?.read()[0] === 1
    const rows = made.slice(carried + (counts ? 1 : 0)).map((ref, i) => (isWhole ? ref : filledUp(ref, kept[i]!, c)))
    const parts = [...made.slice(0, carried), ...rows].map((ref, i) => [layout.offsets[1 + i]!, ref] as const)
    const name = c.unique('loop')
    c.keep(name, new Map([...(counts ? [[layout.offsets[0]!, made[carried]!] as const] : []), ...parts]))
    return { name, type: c.type }
  },

  branch({ inputs }, _, c) {
    const [condition, ...rest] = inputs as [Ref, ...Ref[]]
    const layout = resultsOf('branch', outputTypes(c.bodies[0]!), {})
    const side = (index: number) => ({ kind: 'graph', value: c.body(index, rest, []) }) as const
    const made = c.emitAll('If', [condition], layout.types, { then_branch: side(0), else_branch: side(1) })
    const name = c.unique('branch')
    c.keep(name, new Map(made.map((ref, i) => [layout.offsets[i]!, ref])))
    return { name, type: c.type }
  },

  resultOf: ({ packed }, { offset }, c) =>
    c.resultAt(packed, offset) ?? c.inexpressible('it takes apart what no loop or branch gives'),
}
