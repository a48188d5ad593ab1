import { createDiagnostic, type Diagnostic, DiagnosticError } from '../diagnostics/diagnostic.ts'
import { type Graph, type Node, printType } from '../graph/index.ts'
import type { Target } from '../target.ts'

/** LO-03. Throws DiagnosticError with one entry for each node that the target cannot compile. */
export function requireSupport(graph: Graph, target: Target): void {
  const diagnostics = graph.nodes.flatMap((node) => {
    const reason = target.unsupported(node)
    return reason === undefined ? [] : [describe(graph, node, target, reason)]
  })
  if (diagnostics.length > 0) throw new DiagnosticError(diagnostics)
}

function describe(graph: Graph, node: Node, target: Target, reason: string): Diagnostic {
  const operands = node.operands.map((operand) => printType(operand.type)).join(', ')
  const message = `target '${target.name}' cannot compile ${node.op}(${operands}) → ${printType(node.type)}: ${reason}`
  const [first, ...others] = (graph.locations.get(node) ?? []).flatMap((location) =>
    location.kind === 'source' ? [location] : [],
  )
  const calls = (first?.calls ?? []).map((span) => ({ message: 'called from here', span }))
  const also = others.map(({ span }) => ({ message: 'and from here', span }))
  return createDiagnostic('unsupported-op', message, { ...(first && { span: first.span }), notes: [...calls, ...also] })
}
