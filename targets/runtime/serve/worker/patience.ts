import { builtin } from '../../plan.ts'

/** Milliseconds. To fall asleep and be woken takes some 50 µs: to wait in vain for as long twice costs little where runs are longer. */
export const shortWait = 0.1

/** Keeps the event loop turning, with all that it has to do, where an answer is due sooner than waking it would take. */
export interface Patience {
  /** A command is given to the threads; those like it took so many milliseconds. */
  begin(usual: number): void
  /** It has ended, or nobody waits for it any more. */
  end(): void
}

/** Of how many processors one is the event loop's while it turns; the others are for commands. */
function createPatience(processors: number): Patience {
  let commands = 0
  let until = 0
  let turning = false

  function turn(): void {
    turning = commands > 0 && commands < processors && performance.now() < until
    if (turning) setImmediate(turn)
  }

  return {
    begin(usual) {
      commands++
      if (usual > shortWait || commands >= processors) return
      until = performance.now() + shortWait
      if (turning) return
      turning = true
      setImmediate(turn)
    },
    end() {
      commands--
    },
  }
}

let shared: Patience | undefined

/** That of all cards whose commands run on threads of this process. */
export function sharedPatience(): Patience {
  shared ??= createPatience(builtin('os').availableParallelism())
  return shared
}
