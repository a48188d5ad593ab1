import { crash, fail, type GlowplugError } from '../error.ts'
import type { Request } from '../plan.ts'
import type { Queue, StartDevice } from '../queue.ts'
import { begin, type StatefulInstance } from './instance.ts'
import { jobOf, type Keeper, type KeeperSetting, type Keepers, type Places, type Submission } from './keeper.ts'
import { createQuick } from './quick.ts'
import { deviceFault, type SessionAnswer, type SessionRequest, type StatePlan } from './serve.ts'

/** One device, and the sessions whose states are in its memory. */
interface Lane {
  readonly queue: Queue
  sessions: number
  /** Those that it is to be told of, with the next request. */
  ended: number[]
}

interface Here {
  readonly at: 'here'
  readonly instance: StatefulInstance
  readonly state: number
}

/**
 * Where the state of a session is: nowhere before its first run; in the memory of a device; in that of the instance on the calling thread, as
 * long as it has run nowhere else.
 */
type Whereabouts = { readonly at: 'nowhere' } | { readonly at: 'device' } | Here

/** Of weights, bytes that the calling thread may read for runs to be done at once. */
const mostWeights = 16_777_216
/** Runs in a row that could be done at once before a session leaves its device for it. */
const trials = 8

/** Frees what sessions hold that nobody closed. */
let forgotten: FinalizationRegistry<() => void> | undefined

/** Keepers over devices with a memory each. A session stays with the device that its first run is given to. */
export const createLanes =
  (weightBytes: number, stateOf: () => StatePlan, start: StartDevice) =>
  ({ newQueue, instances, instantiate, places, about }: KeeperSetting): Keepers => {
    const lanes: readonly Lane[] = Array.from({ length: instances }, () => ({
      queue: newQueue(start, 1),
      sessions: 0,
      ended: [],
    }))
    let local: StatefulInstance | undefined
    let [found, memory]: [Places[], ArrayBuffer | undefined] = [[], undefined]
    let count = 0
    const quick = createQuick()

    function create(): Keeper {
      const id = count++
      let lane: Lane | undefined
      let where: Whereabouts = { at: 'nowhere' }
      /** Runs in a row that could have been done at once. */
      let quickOnes = 0

      function complete(request: Request): SessionRequest {
        const begins =
          where.at === 'device' ? undefined : where.at === 'here' ? where.instance.bytesOf(where.state).slice() : true
        const { ended } = lane!
        lane!.ended = []
        return { ...request, session: id, begins, ended }
      }
      function leaveHere(): void {
        if (where.at === 'here') where.instance.free(where.state)
      }
      const free = () => {
        leaveHere()
        where = { at: 'nowhere' }
        if (!lane) return
        lane.sessions--
        lane.ended.push(id)
        lane = undefined
      }
      /** Begins here, with these bytes. */
      function settleHere(from: Uint8Array | undefined): void {
        local ??= instantiate() as StatefulInstance
        const state = allocate(local)
        where = { at: 'here', instance: local, state }
        begin(local.bytesOf(state), from)
      }
      function answerHere(submission: Submission): () => void {
        return quick.run(submission, () => {
          try {
            return local!.answer(submission.request, (where as Here).state)
          } catch (error) {
            throw crashed(error)
          }
        })
      }
      /** Has a device run it, and the state of the session there. */
      function hand(submission: Submission, leaves = false): () => void {
        const { queue } = lane!
        const job = jobOf(submission, (request) => ({ ...complete(request), leaves }))
        queue.add(job)
        return () => queue.remove(job)
      }
      const keeper: Keeper = {
        submit(submission) {
          const isQuick = weightBytes <= mostWeights && quick.isQuick(submission.request.entry)
          if (isQuick && where.at === 'here' && where.instance === local) return answerHere(submission)
          quickOnes = isQuick ? quickOnes + 1 : 0
          if (!lane) {
            lane = lanes.reduce((least, each) => (each.sessions < least.sessions ? each : least))
            lane.sessions++
          }
          if (quickOnes > trials && where.at === 'device')
            return hand(
              {
                ...submission,
                resolve(answer) {
                  const { fault, region, state } = answer as SessionAnswer
                  if (fault !== 0) return submission.resolve(answer)
                  try {
                    settleHere(new Uint8Array(state!))
                  } catch (error) {
                    return submission.reject(error)
                  }
                  answerHere({ ...submission, request: { ...submission.request, region: region! } })
                },
              },
              true,
            )
          return hand(
            quick.measured({
              ...submission,
              resolve(answer) {
                // It could not begin there, or its state is gone: whatever comes next begins anew.
                if (answer.fault === deviceFault.stateMissing) where = { at: 'nowhere' }
                else if (answer.fault !== deviceFault.noMemory) {
                  leaveHere()
                  where = { at: 'device' }
                }
                submission.resolve(answer)
              },
            }),
          )
        },
        placesHere(entry) {
          if (where.at === 'device')
            fail(
              'session-elsewhere',
              about('has this session on a worker since its first run(): await run(), or reset() it first'),
            )
          local ??= instantiate() as StatefulInstance
          if (where.at === 'nowhere') settleHere(stateOf().initial)
          if (where.at === 'here' && where.instance !== local)
            fail('session-lost', about('lost this session with another that crashed on the calling thread: call reset()'))
          // Made anew where the memory has grown.
          if (memory !== local.memory) [found, memory] = [[], local.memory]
          found[entry] ??= places(entry, memory, local.mutable)
          return found[entry]
        },
        runHere(entry) {
          try {
            return local!.run(entry, (where as Here).state)
          } catch (error) {
            throw crashed(error)
          }
        },
        reset() {
          if (where.at === 'here' && where.instance === local) begin(local.bytesOf(where.state), stateOf().initial)
          else where = { at: 'nowhere' }
        },
        free,
      }
      forgotten ??= new FinalizationRegistry((release) => release())
      forgotten.register(keeper, free)
      return keeper
    }

    /** What traps may leave anything behind: other sessions on the calling thread lose their states with it. */
    function crashed(error: unknown): GlowplugError {
      local = undefined
      return crash(about, error as Error)
    }

    function allocate(instance: StatefulInstance): number {
      try {
        return instance.allocate()
      } catch (error) {
        fail('out-of-memory', about('has no memory for the state of another session; close one'), error)
      }
    }

    return {
      create,
      ready: () => Promise.all(lanes.map(({ queue }) => queue.ready())),
      close: (error) => Promise.all(lanes.map(({ queue }) => queue.close(error))),
    }
  }
