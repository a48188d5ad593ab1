// Bytes that stand for several elements, and several bytes that stand for one: their dimension must have one size.
import { type Rule, type State, spoilt } from './state.ts'
import { opText, placeOf } from './words.ts'

/** Whether the last dimension of operand `at` has one size in every request; tells where it has not. */
function isWhole({ nodes, operands, states, mixes }: Parameters<Rule>[0], at: number): boolean {
  const last = states[at]!.axes.length - 1
  const axis = states[at]!.axes[last]
  if (!axis) return true
  mixes(
    `${opText(nodes[0]!)}: ${placeOf(operands[at]!, last)} is '${axis.extent.dim}', and the elements of that dimension belong together`,
    'let the last dimension have one size',
  )
  return false
}

/** Dimensions in front are those of the result. */
const leading = (state: State): State['axes'] => [...spoilt(state.axes.slice(0, -1)), undefined]

export const bitCast: Rule = (question) => {
  const [{ operands, type }] = question.nodes as readonly [(typeof question.nodes)[number]]
  const [state] = question.states as readonly [State]
  if (operands[0]!.type.shape.at(-1) === type.shape.at(-1)) return { axes: spoilt(state.axes) }
  isWhole(question, 0)
  return { axes: leading(state) }
}

export const dequantizeBlocks: Rule = (question) => {
  for (const at of question.states.keys()) isWhole(question, at)
  return { axes: leading(question.states[0]!) }
}

/** Rows are independent of each other; how many outputs there are is a matter of the weight, which has one size. */
export const blockLinear: Rule = (question) => {
  for (const at of question.states.keys()) isWhole(question, at)
  const [input, weight] = question.states as readonly [State, State]
  return { axes: [...spoilt(input.axes.slice(0, -1)), ...spoilt([weight.axes[0]])] }
}
