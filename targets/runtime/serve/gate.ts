/** A line of requests of one model, at a gate. */
export interface GateMember {
  /** The first of those that wait and could begin if the gate let them; undefined where there is none. */
  first(): { readonly priority: number; readonly since: number } | undefined
  /** Begins that one. */
  begin(): void
}

/** Bounds what is under way over several models: who begins next is decided over all their lines, by priority and then by arrival. */
export interface Gate {
  /** Takes a place, if one is free. */
  take(): boolean
  /** Gives a place back, to the next of all that wait. */
  give(): void
  /** Until the function that it returns is called. */
  join(member: GateMember): () => void
}

export function createGate(places: number): Gate {
  const members = new Set<GateMember>()
  let free = places
  let isPassing = false

  function next(): GateMember | undefined {
    let best: { readonly member: GateMember; readonly priority: number; readonly since: number } | undefined
    for (const member of members) {
      const first = member.first()
      if (!first) continue
      const { priority, since } = first
      if (!best || priority < best.priority || (priority === best.priority && since < best.since))
        best = { member, priority, since }
    }
    return best?.member
  }

  /** A loop, since what cannot run ends at once and gives its place back. */
  function pass(): void {
    if (isPassing) return
    isPassing = true
    for (let member = free > 0 ? next() : undefined; member; member = free > 0 ? next() : undefined) {
      free--
      member.begin()
    }
    isPassing = false
  }

  return {
    take() {
      if (free === 0) return false
      free--
      return true
    },
    give() {
      free++
      pass()
    },
    join(member) {
      members.add(member)
      return () => {
        members.delete(member)
      }
    },
  }
}
