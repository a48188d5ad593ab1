import { createDiagnostic, type Diagnostic, DiagnosticError } from '../../compiler/diagnostics/diagnostic.ts'
import type { Chosen } from '../../targets/c/choice.ts'
import { digestOfKernel, LockProblem, lockFileOf, readLock, type TunedKernel } from './lock.ts'

/** The measurements of a lock file, for one build: which of them are of no use comes to light in it. */
export interface Tuned {
  /** For `TargetOptions.tuned`. */
  readonly chosen: (section: string) => Chosen | undefined
  /**
   * A warning where measurements do not fit the kernels of this build. With `whole`, where all models of the file were compiled, also
   * where there are kernels that no model has any more.
   */
  stale(whole: boolean): readonly Diagnostic[]
}

/** What was measured for a model file, `name` in messages. Throws DiagnosticError where the file beside it is damaged. */
export async function readTuned(modelFile: string, name: string = modelFile): Promise<Tuned | undefined> {
  const lockName = lockFileOf(name)
  try {
    const lock = await readLock(lockFileOf(modelFile), lockName)
    if (!lock) return undefined
    const used = new Map<string, { readonly seen: Set<string>; readonly unknown: Map<string, string> }>()
    return {
      chosen(section) {
        const kernels = new Map(Object.entries(lock.sections[section]?.kernels ?? {}))
        if (kernels.size === 0) return undefined
        const use = used.get(section) ?? { seen: new Set<string>(), unknown: new Map<string, string>() }
        used.set(section, use)
        const digests = new Map<string, string>()
        const digestOf = (signature: string): string => {
          const digest = digests.get(signature) ?? digestOfKernel(signature)
          digests.set(signature, digest)
          return digest
        }
        return {
          get(signature) {
            const digest = digestOf(signature)
            use.seen.add(digest)
            return kernels.get(digest)?.way
          },
          unknown: (signature, way) => void use.unknown.set(digestOf(signature), way),
        }
      },
      stale(whole) {
        const lines = [...used].flatMap(([section, { seen, unknown }]) => {
          const { kernels } = lock.sections[section]!
          const gone = whole && seen.size > 0 ? Object.entries(kernels).filter(([digest]) => !seen.has(digest)) : []
          const told = (kernel: TunedKernel | undefined) => kernel?.kernel ?? 'a kernel'
          return [
            ...[...unknown].map(
              ([digest, way]) => `${section}: there is no way '${way}' any more to make ${told(kernels[digest])}`,
            ),
            ...gone.map(([, kernel]) => `${section}: no kernel is ${told(kernel)} any more`),
          ]
        })
        if (lines.length === 0) return []
        const notes = lines.slice(0, 5).map((message) => ({ message }))
        const more = lines.length > 5 ? [{ message: `and ${lines.length - 5} more` }] : []
        return [
          createDiagnostic(
            'tuning-stale',
            `${lines.length} measurement${lines.length === 1 ? '' : 's'} in ${lockName} no longer fit${lines.length === 1 ? 's' : ''} the model`,
            { notes: [...notes, ...more] },
          ),
        ]
      },
    }
  } catch (error) {
    if (error instanceof LockProblem) throw new DiagnosticError([createDiagnostic('tuning-unreadable', error.message)])
    throw error
  }
}
