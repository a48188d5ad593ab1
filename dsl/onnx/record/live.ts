import type { Tensor } from '../../tensor.ts'
import { isTensor } from '../../tracer.ts'
import { type Argument, RecordedBody, type Source, type Statement } from './statement.ts'

/** The tensors among the arguments of a statement, in the order of writing. */
export function tensorsIn(argument: Argument): Tensor[] {
  if (isTensor(argument)) return [argument]
  if (argument instanceof RecordedBody)
    return [...tensorsIn(argument.statements.flatMap((statement) => statement.arguments)), ...tensorsIn(argument.returned)]
  if (Array.isArray(argument)) return argument.flatMap(tensorsIn)
  return typeof argument === 'object' ? Object.values(argument).flatMap(tensorsIn) : []
}

/** The statements that `outputs` need, in the order of calling, and the weights that they and the outputs name. */
export function liveStatements(
  statements: readonly Statement[],
  outputs: readonly Tensor[],
  sourceOf: (tensor: Tensor) => Source,
): { readonly statements: readonly Statement[]; readonly weights: ReadonlySet<string> } {
  const live = new Set<Statement>()
  const weights = new Set<string>()
  const pending = [...outputs]
  for (let tensor = pending.pop(); tensor; tensor = pending.pop()) {
    const source = sourceOf(tensor)
    if (source.kind === 'weight') weights.add(source.name)
    if (source.kind !== 'result' || live.has(source.statement)) continue
    live.add(source.statement)
    for (const argument of source.statement.arguments) pending.push(...tensorsIn(argument))
  }
  return { statements: statements.filter((statement) => live.has(statement)), weights }
}
