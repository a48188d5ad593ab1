import { unknown } from '../session.ts'
import { ts, unwrap } from '../syntax.ts'
import { listOf } from '../values/iterate.ts'
import { ArrayValue, isNullish, type ObjectValue, Unknown, type Value } from '../values/value.ts'
import { type Link, prepareChainPart, prepareMember, shortCut } from './access.ts'
import type { Code, Evaluator } from './code.ts'
import { prepareSuperCall } from './construct.ts'
import { taintNode } from './effects.ts'
import { prepareExpression } from './expressions.ts'
import { callAt, callFunction, construct, enterClosure, hostFramesOfCall, isPlainClosure, type Site } from './invoke.ts'
import type { Frame } from './scope.ts'

type Arguments = (frame: Frame) => Value[] | Unknown

/** Evaluates arguments from left to right; unknown when a spread is. */
export function prepareArguments(args: readonly ts.Expression[], code: Code): Arguments {
  if (!args.some((argument) => ts.isSpreadElement(argument))) {
    const evaluators = args.map((argument) => prepareExpression(argument, code))
    if (evaluators.length === 1) {
      const [only] = evaluators as [Evaluator]
      return (frame) => [only(frame)]
    }
    return (frame) => {
      const values = new Array<Value>(evaluators.length)
      for (let i = 0; i < values.length; i++) values[i] = evaluators[i]!(frame)
      return values
    }
  }
  return prepareElements(args, code)
}

/** The elements of an array literal or of arguments with spreads. */
export function prepareElements(elements: readonly ts.Expression[], code: Code): Arguments {
  const { session } = code
  const parts = elements.map((element) => {
    if (ts.isOmittedExpression(element)) return { spread: false, hole: true, node: element, evaluate: () => undefined }
    const spread = ts.isSpreadElement(element)
    return { spread, hole: false, node: element, evaluate: prepareExpression(spread ? element.expression : element, code) }
  })
  return (frame) => {
    const values: Value[] = []
    let unknownPart: Unknown | undefined
    for (const part of parts) {
      const value = part.evaluate(frame)
      if (part.hole) values.length++
      else if (!part.spread) values.push(value)
      else {
        const list = listOf(session, value, part.node)
        if (list instanceof Unknown) unknownPart ??= list
        else for (const element of list) values.push(element)
      }
    }
    session.budget.elements(values.length, values.length)
    return unknownPart ?? values
  }
}

/** `f(…)`, `a.f(…)`, `super(…)`, with optional chaining. */
export function prepareCall(node: ts.CallExpression, code: Code, inChain: boolean): Evaluator {
  const callee = node.expression
  if (callee.kind === ts.SyntaxKind.SuperKeyword) return prepareSuperCall(node, code)
  if (callee.kind === ts.SyntaxKind.ImportKeyword) {
    return () => unknown(code.session, node, 'unsupported-dynamic-import', 'the build does not follow import()')
  }
  const link = prepareCallLink(node, code)
  if (inChain || !(node.flags & ts.NodeFlags.OptionalChain)) return link as Evaluator
  return (frame) => {
    const value = link(frame)
    return value === shortCut ? undefined : value
  }
}

function prepareCallLink(node: ts.CallExpression, code: Code): Link {
  const { session } = code
  const args = prepareArguments(node.arguments, code)
  const site: Site = { node, text: calleeText(node.expression), levels: code.unit.level + hostFramesOfCall }
  const optional = node.questionDotToken !== undefined
  /** Everything but the plain call of a function of the model's own, which is kept free of host frames. */
  const callOther = (frame: Frame, callee: Value, self: Value): Value | typeof shortCut => {
    if (optional && isNullish(callee)) return shortCut
    if (optional && callee instanceof Unknown) {
      for (const argument of node.arguments) taintNode(session, argument, code.scope, frame, callee)
      return callee
    }
    const list = args(frame)
    return list instanceof Unknown ? callFunction(session, list, self, [callee], node) : callAt(session, callee, self, list, site)
  }
  const target = unwrap(node.expression)
  // Parentheses end an optional chain, but not what a method is called on.
  const ended = target !== node.expression
  if (ts.isPropertyAccessExpression(target) || ts.isElementAccessExpression(target)) {
    const { object, read } = prepareMember(target, code)
    return (frame) => {
      const self = object(frame)
      if (self === shortCut) return ended ? callOther(frame, undefined, undefined) : shortCut
      const callee = read(frame, self)
      if (!isPlainClosure(callee)) return callOther(frame, callee, self)
      const list = args(frame)
      return list instanceof Unknown
        ? callFunction(session, list, self, [callee], node)
        : enterClosure(session, callee, self, list, site)
    }
  }
  const prepared = prepareChainPart(node.expression, code)
  return (frame) => {
    const callee = prepared(frame)
    if (callee === shortCut) return shortCut
    if (!isPlainClosure(callee)) return callOther(frame, callee, undefined)
    const list = args(frame)
    return list instanceof Unknown
      ? callFunction(session, list, undefined, [callee], node)
      : enterClosure(session, callee, undefined, list, site)
  }
}

const calleeText = (node: ts.Expression): string => {
  const text = node.getText()
  return text.length > 40 ? `${text.slice(0, 40)}…` : text
}

/** `new C(…)` */
export function prepareNew(node: ts.NewExpression, code: Code): Evaluator {
  const { session } = code
  const callee = prepareExpression(node.expression, code)
  const args = prepareArguments(node.arguments ?? [], code)
  const site: Site = { node, text: calleeText(node.expression), levels: code.unit.level + hostFramesOfCall + 1 }
  return (frame) => {
    const constructor = callee(frame)
    const list = args(frame)
    if (list instanceof Unknown) return callFunction(session, list, undefined, [constructor], node)
    return construct(session, constructor, list, site)
  }
}

/** `` tag`a${b}` `` */
export function prepareTaggedTemplate(node: ts.TaggedTemplateExpression, code: Code): Evaluator {
  const { session } = code
  const tag = unwrap(node.tag)
  const member = ts.isPropertyAccessExpression(tag) || ts.isElementAccessExpression(tag) ? prepareMember(tag, code) : undefined
  const plain = member ? undefined : prepareExpression(tag, code)
  const { template } = node
  const isPlain = ts.isNoSubstitutionTemplateLiteral(template)
  const pieces = isPlain ? [template] : [template.head, ...template.templateSpans.map((span) => span.literal)]
  const values = isPlain ? [] : template.templateSpans.map((span) => prepareExpression(span.expression, code))
  const strings = new ArrayValue(pieces.map((piece) => piece.text))
  const raw = new ArrayValue(pieces.map((piece) => piece.rawText ?? piece.text))
  strings.properties.set('raw', raw)
  strings.hidden = new Set(['raw'])
  for (const list of [strings, raw] as ObjectValue[]) list.frozen = true
  const site: Site = { node, text: undefined, levels: code.unit.level + hostFramesOfCall + 1 }
  return (frame) => {
    const self = member?.object(frame)
    const receiver = self === shortCut ? undefined : self
    const callee = member ? member.read(frame, receiver) : plain!(frame)
    return callAt(session, callee, receiver, [strings, ...values.map((value) => value(frame))], site)
  }
}
