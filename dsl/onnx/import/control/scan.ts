import { stackedRows } from '../bounded/fit.ts'
import { extentsOf, openOf } from '../bounded/movement.ts'
import { arithmeticOn, isOpen, type Size, sameSize } from '../bounded/size.ts'
import { boundsOf, withBounds } from '../bounded/values.ts'
import type { Value } from '../context.ts'
import { dimsOf, range } from '../rules/shared.ts'
import {
  type ControlSite,
  countNodes,
  graphAttribute,
  present,
  type Results,
  refuseBounded,
  stop,
  tensor,
  writtenNodes,
  writtenTurns,
} from './site.ts'
import { importTurns } from './turns.ts'

/** ONNX Scan 8 to 25. Version 8 has a batch in front, of which each entry is walked by itself. */
export function importScan(site: ControlSite): Results {
  const { node, d, opset } = site
  if (opset >= 9)
    return scanOnce(
      site,
      site.entries.map((entry, i) => site.tensorOf(present(entry, `input ${i}`))),
    ).map(tensor)
  const [lengths, ...rest] = site.entries
  if (lengths) stop('sequences of different lengths are not supported', 'export the model with opset 9 or later')
  const inputs = rest.map((entry, i) => site.tensorOf(present(entry, `input ${i + 1}`)))
  if (inputs.some(boundsOf)) refuseBounded('it walks along')
  const batch = inputs[0] ? dimsOf(inputs[0])[0]! : 0
  const rows = range(batch).map((b) =>
    scanOnce(
      site,
      inputs.map((input) => d.gather(input, d.constant('i64', [], [b]), { axis: 0 }) as Value),
    ),
  )
  return node.outputs.map((_, i) => tensor(d.stack(rows.map((row) => row[i]!) as never) as Value))
}

/** States and what is kept, where `inputs` are states and then sequences. */
function scanOnce(site: ControlSite, inputs: readonly Value[]): Value[] {
  const { node, d, opset } = site
  const body = graphAttribute(node, 'body')
  const numbers = (name: string) => {
    const found = node.attributes.get(name)
    return found?.kind === 'ints' ? found.value : undefined
  }
  const scanned = node.attributes.get('num_scan_inputs')
  const count = scanned?.kind === 'int' ? scanned.value : stop('attribute num_scan_inputs is missing')
  if (!(count >= 1 && count <= inputs.length)) stop(`num_scan_inputs is ${count}, and there are ${inputs.length} inputs`)
  const states = inputs.slice(0, inputs.length - count)
  const sequences = inputs.slice(inputs.length - count)
  const backwards = numbers(opset < 9 ? 'directions' : 'scan_input_directions') ?? []
  const axes = sequences.map((value, i) => axisOf(numbers('scan_input_axes')?.[i] ?? 0, dimsOf(value).length))
  const lengths = sequences.map((value, i) => extentsOf(value)[axes[i]!]!)
  const length = lengths[0]!
  if (lengths.some((each) => !sameSize(each, length))) stop('what it walks along differs in length')
  const { sub, scalar } = arithmeticOn(d)
  /** One step of a sequence whose other axes keep their sizes. */
  const itemOf = (value: Value, i: number, turn: Value, last: Size): Value => {
    const at = backwards[i] ? (isOpen(last) ? d.sub(last.value, turn) : d.sub(last, turn as never)) : turn
    const item = d.gather(value, at as Value, { axis: axes[i]! }) as Value
    return withBounds(site, item, openOf(extentsOf(value).filter((_, axis) => axis !== axes[i])))
  }
  const isShort = !isOpen(length) && length > 0 && length <= writtenTurns && length * countNodes(body) <= writtenNodes
  const { carried, rows } = isShort ? writtenOut(length) : asLoop()

  function writtenOut(steps: number) {
    const kept: Value[][] = []
    let values = states
    for (const turn of range(steps)) {
      const at = (i: number) => d.constant('i64', [], [backwards[i] ? steps - 1 - turn : turn]) as Value
      const items = sequences.map((value, i) =>
        withBounds(
          site,
          d.gather(value, at(i), { axis: axes[i]! }) as Value,
          openOf(extentsOf(value).filter((_, axis) => axis !== axes[i])),
        ),
      )
      const outputs = site
        .beside(body, [...values, ...items].map(tensor))
        .map((entry) => site.tensorOf(present(entry, 'an output of the body')))
      values = outputs.slice(0, states.length)
      kept.push(outputs.slice(states.length))
    }
    const stacks = range(body.outputs.length - states.length).map(
      (i): Value =>
        stackedRows(
          site,
          kept.map((row) => row[i]!),
        ) ?? refuseBounded('each step keeps'),
    )
    return { carried: values, rows: stacks }
  }

  function asLoop() {
    const made = importTurns(site, {
      body,
      count: isOpen(length) ? length.value : length,
      limit: isOpen(length) ? length.high : undefined,
      carried: states.map(tensor),
      given: sequences.map(tensor),
      room: () => undefined,
      nameOf: (i) => node.outputs[i] ?? 'value',
      turn(turn, values, given, scope) {
        const walked = given.map(site.tensorOf)
        const last = sub(extentsOf(walked[0]!)[axes[0]!]!, 1)
        const items = walked.map((value, i) => tensor(itemOf(value, i, turn, last)))
        const outputs = site.inside(body, [...values, ...items], scope)
        return { carried: outputs.slice(0, states.length), kept: outputs.slice(states.length) }
      },
    })
    return { carried: made.carried, rows: made.kept }
  }

  const directions = numbers('scan_output_directions') ?? []
  const outputAxes = numbers('scan_output_axes') ?? []
  const placed = rows.map((value, i) => {
    const [, ...others] = extentsOf(value)
    const rank = others.length + 1
    const axis = axisOf(outputAxes[i] ?? 0, rank)
    const ordered = directions[i] ? reversed(value) : value
    const order = range(rank - 1).map((k) => k + 1)
    const moved = axis === 0 ? ordered : (d.transpose(ordered, [...order.slice(0, axis), 0, ...order.slice(axis)]) as Value)
    return withBounds(site, moved, openOf([...others.slice(0, axis), length, ...others.slice(axis)]))
  })
  return [...carried, ...placed]

  /** From the last step to the first. */
  function reversed(value: Value): Value {
    if (!isOpen(length)) return d.slice(value, { axis: 0, start: length - 1, stop: -length - 1, step: -1 }) as Value
    const place = d.sub(scalar(sub(length, 1)), d.positions(length.high)) as Value
    return d.gather(value, d.maximum(place, 0) as Value, { axis: 0 }) as Value
  }
}

function axisOf(axis: number, rank: number): number {
  const found = axis < 0 ? axis + rank : axis
  return found >= 0 && found < rank ? found : stop(`axis ${axis} is outside a tensor of rank ${rank}`)
}
