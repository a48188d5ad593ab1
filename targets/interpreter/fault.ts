/** An operand value that an op with the trait `checked` refuses while running. The message names the op and the value. */
export class EvaluationFault extends Error {
  override readonly name = 'EvaluationFault'
}
