// The process that tries: it may crash or hang, and then another one is started.
import { EvaluationFault } from '../../targets/interpreter/index.ts'
import { broken } from './broken.ts'
import { type Case, createCase, createChecks } from './checks.ts'
import { drawGraph } from './drawn.ts'
import { decodeGraph } from './encoded.ts'
import type { Reply, Request, Selection, Trial } from './protocol.ts'
import { type Engine, enginesHere, runOn } from './targets.ts'

/** Set in the environment of a worker. */
export const workerVariable = 'GLOWPLUG_FUZZ_WORKER'
export const isWorker = (): boolean => process.env[workerVariable] === '1'

/** Seconds that a check without C may take, and a batch of graphs through a compiler of C. */
const patience = { check: 120, code: 900 }

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
const passesOf = (name: string | undefined) => (name === undefined ? [] : [broken[name]!])

/** A case, or undefined where the graph itself fails on its inputs: that an index lies outside is no mistake of ours. */
function caseOf(...given: Parameters<typeof createCase>): Case | undefined {
  try {
    return createCase(...given)
  } catch (error) {
    if (error instanceof EvaluationFault) return undefined
    throw error
  }
}

/** Answers requests until the process that asks ends. */
export function serve(): void {
  const send = (reply: Reply) => process.send!(reply)
  let engines: Promise<readonly Engine[]> | undefined
  const allEngines = () => {
    engines ??= enginesHere()
    return engines
  }

  async function batch({ from, count, recipe, selection }: Extract<Request, { kind: 'batch' }>): Promise<void> {
    const { only, broken: further } = selection
    const isChosen = (name: string) => only === undefined || name.includes(only)
    const checks = createChecks(passesOf(further)).filter(({ name }) => isChosen(name))
    const sound: Case[] = []
    let [nodes, faults, runs] = [0, 0, 0]
    for (let seed = from; seed < from + count; seed++) {
      send({ kind: 'at', seed, check: 'draw', seconds: patience.check })
      let given: Case | undefined
      const fail = (check: string, error: unknown) =>
        send({ kind: 'failed', failure: { seed, check, message: messageOf(error) } })
      try {
        const { graph } = drawGraph(seed, recipe)
        nodes += graph.nodes.length
        given = caseOf(graph, seed, { further: passesOf(further) })
      } catch (error) {
        fail('draw', error)
        continue
      }
      if (!given) {
        faults++
        continue
      }
      const failing = checks.find(({ name, run }) => {
        send({ kind: 'at', seed, check: name, seconds: patience.check })
        runs++
        try {
          run({ ...given, applications: [] })
          return false
        } catch (error) {
          fail(name, error)
          return true
        }
      })
      if (!failing) sound.push(given)
    }
    for (const engine of await chosenEngines(selection)) {
      if (!isChosen(engine.name)) continue
      const cases = sound.map((given) => ({ ...given, applications: [] }))
      send({ kind: 'at', seed: from, check: engine.name, seconds: patience.code })
      runs += cases.length
      const outcomes = await runOn(engine, cases, (i) =>
        send({ kind: 'at', seed: cases[i]!.seed, check: engine.name, seconds: patience.check }),
      )
      for (const [i, outcome] of outcomes.entries())
        if (outcome) send({ kind: 'failed', failure: { seed: cases[i]!.seed, check: engine.name, message: messageOf(outcome) } })
    }
    send({ kind: 'done', graphs: count, nodes, faults, runs })
  }

  async function chosenEngines({ targets }: Selection): Promise<readonly Engine[]> {
    if (targets?.length === 0) return []
    const all = await allEngines()
    return targets ? all.filter(({ name }) => targets.includes(name)) : all
  }

  async function attempt({ graphs, seed, check, broken: further, ...request }: Extract<Request, { kind: 'try' }>) {
    const { maximumApplications, seconds = patience.check } = request
    const passes = passesOf(further)
    const own = createChecks(passes).find(({ name }) => name === check)
    const engine = own ? undefined : (await allEngines()).find(({ name }) => name === check)
    const cases: (Case | undefined)[] = []
    const messages: (string | undefined)[] = []
    const at = (limit: number) => send({ kind: 'at', seed, check, seconds: limit })
    for (const [i, encoded] of graphs.entries()) {
      at(seconds)
      try {
        cases[i] = caseOf(decodeGraph(encoded), seed, { maximumApplications, further: passes })
        if (cases[i]) own?.run(cases[i])
      } catch (error) {
        messages[i] = messageOf(error)
      }
    }
    if (engine) {
      const usable = [...cases.entries()].flatMap(([i, given]) => (given ? [{ i, given }] : []))
      const list = usable.map(({ given }) => given)
      at(patience.code)
      const outcomes = await runOn(engine, list, () => at(seconds))
      for (const [k, { i }] of usable.entries()) if (outcomes[k]) messages[i] = messageOf(outcomes[k])
    }
    const trials = graphs.map((_, i): Trial => {
      const applications = cases[i]?.applications ?? []
      return { message: messages[i], applications: applications.map(({ pass, rule, note }) => ({ pass, rule, note })) }
    })
    send({ kind: 'tried', trials })
  }

  process.on('message', (request: Request) => {
    ;(request.kind === 'batch' ? batch(request) : attempt(request)).catch((error) => {
      process.stderr.write(`${error?.stack ?? error}\n`)
      process.exit(70)
    })
  })
  process.on('disconnect', () => process.exit())
}
