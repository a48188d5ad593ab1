import type { Kernel } from './kernel.ts'
import { kernelSignature } from './print.ts'

/** Op names in a kernel's name at most; the rest is counted. */
const namedOps = 4

/** Names for kernels: equal ones share a name, others get another. */
export function kernelNames(): (kernel: Kernel) => string {
  const names = new Map<string, string>()
  const taken = new Set<string>()
  return (kernel) => {
    const signature = kernelSignature(kernel)
    let name = names.get(signature)
    if (name === undefined) {
      const base = describeKernel(kernel)
      name = base
      for (let n = 2; taken.has(name); n++) name = `${base}_${n}`
      names.set(signature, name)
      taken.add(name)
    }
    return name
  }
}

/** `conv_maximum_1x64x60x80`: the ops in order and the result's shape; op names are identifiers. */
function describeKernel(kernel: Kernel): string {
  const applied = (steps: Kernel['steps']) => steps.flatMap((step) => (step.kind === 'apply' ? [step.op] : []))
  const ops = [...applied(kernel.prologue ?? []), ...(kernel.anchor ? [kernel.anchor.op] : []), ...applied(kernel.steps)]
  const idle = kernel.steps.some((step) => step.kind === 'load') ? 'relayout' : 'fill'
  const named =
    ops.length === 0 ? [idle] : ops.length <= namedOps ? ops : [...ops.slice(0, namedOps), `${ops.length - namedOps}more`]
  const shape = kernel.domain.length === 0 ? 'scalar' : kernel.domain.join('x')
  return [...named, shape].join('_')
}
