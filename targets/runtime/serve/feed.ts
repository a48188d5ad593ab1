import type { TensorArray } from '../tensor.ts'
import type { BoundCard } from './choose.ts'
import { copyRead } from './partial.ts'
import { hostCard, type RecordedInput } from './record.ts'
import type { Prepared } from './slot.ts'
import type { ExecutorOptions } from './work.ts'

/** Both give the bytes that were written. What is the same for all requests is written whole, and once. */
function writeAll(value: TensorArray, target: TensorArray): number {
  target.set(value as never)
  return value.byteLength
}
const write = ({ reads }: RecordedInput, value: TensorArray, target: TensorArray, given: readonly TensorArray[]): number =>
  reads ? copyRead(reads, value, target, given) : writeAll(value, target)

/** What writes the inputs of a step to its card, or says where the card finds them. What is the same for all requests stays there once it is written. */
export function createFeed({ peerToPeer, statics }: Pick<ExecutorOptions, 'peerToPeer' | 'statics'>) {
  function feed(prepared: Prepared, { card, statics: known, averages }: BoundCard): void {
    const { run, step, command, copies } = prepared
    const { inputs: given, resident, flow } = run.job!.work
    const { id } = step.program
    const fixed = statics?.[flow.index]
    const place = run.slot * averages.length + id
    const isThere = known[place] === flow.index + 1
    const views = card.inputs(id, run.slot)
    let fromHost = 0
    let fromCards = 0
    let withinCard = 0
    command.copies.length = 0
    for (let i = 0; i < step.inputs.length; i++) {
      const source = step.inputs[i]!
      const from = source.kind === 'step' ? run.steps[source.step]! : undefined
      const kept = source.kind === 'request' ? resident?.[source.input] : undefined
      if (kept === 'there') continue
      if (kept || from) {
        const holder = from ? from.on!.card : card
        const program = from ? from.step.program.id : kept!.program
        const output = kept ? kept.output : (source as { output: number }).output
        const isPartial = source.reads !== undefined && holder.index === hostCard
        if (holder === card || (!isPartial && peerToPeer && card.reaches(holder.index))) {
          const copy = copies[i]!
          copy.card = holder.index
          copy.program = program
          copy.output = output
          command.copies.push(copy)
          if (holder === card) withinCard += source.bytes
          else fromCards += source.bytes
        } else {
          fromHost += write(source, holder.outputs(program, run.slot)[output]!, views[i]!, given)
        }
      } else if (source.kind === 'request') {
        const value = fixed?.[source.input]
        if (value && isThere) continue
        fromHost += value ? writeAll(value, views[i]!) : write(source, given[source.input]!, views[i]!, given)
      }
    }
    if (statics) known[place] = fixed ? flow.index + 1 : 0
    prepared.fromHost = fromHost
    prepared.fromCards = fromCards
    prepared.withinCard = withinCard
  }
  return feed
}
