import type { ServerInfo } from '../api.ts'
import type { CardState } from '../card.ts'
import { delayOfEventLoop } from './eventLoop.ts'
import { type Histogram, merge } from './histogram.ts'
import { helpText, type Labels, labelText, numberText } from './labels.ts'
import { type Metrics, under } from './tally.ts'

type Sample = readonly [labels: Labels, value: number | Histogram]
interface Family {
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  readonly samples: readonly Sample[]
}

const states: readonly CardState[] = ['starting', 'ready', 'lost', 'quarantined', 'failed', 'closed']

function familiesOf({ tally, info }: Metrics): readonly Family[] {
  const about = info()
  if (!about) return []
  const model: Labels = [
    ['model', about.model],
    ['bundle', about.bundle],
  ]
  const nameOf = (card: number) => about.cards.find(({ index }) => index === card)?.name ?? (card < 0 ? 'host' : `card${card}`)
  const split = <T>(map: ReadonlyMap<string, T>, labels: (parts: string[]) => Labels, value: (of: T) => number | Histogram) =>
    [...map].map(([key, of]): Sample => [[...model, ...labels(key.split('\n'))], value(of)])
  const same = <T>(value: T) => value
  const byEntry = (parts: string[]): Labels => [['entry', parts[0]!]]
  const byCard =
    (key: string, value: (text: string) => string = same) =>
    (parts: string[]): Labels => [
      ['card', nameOf(Number(parts[0]))],
      [key, value(parts[1]!)],
    ]
  const cards = (labelsOf: (card: ServerInfo['cards'][number]) => readonly Sample[]) =>
    about.cards.flatMap((card) =>
      labelsOf(card).map(([labels, value]): Sample => [[...model, ['card', card.name], ...labels], value]),
    )
  return [
    {
      ...{ name: 'glowplug_requests_total', type: 'counter', help: 'Requests that were let in.' },
      samples: split(tally.requests, byEntry, same),
    },
    {
      ...{ name: 'glowplug_requests_refused_total', type: 'counter', help: 'Requests that were not let in, by error code.' },
      samples: split(
        tally.refused,
        ([entry, code]) => [
          ['entry', entry!],
          ['code', code!],
        ],
        same,
      ),
    },
    {
      ...{
        name: 'glowplug_requests_answered_total',
        type: 'counter',
        help: 'Requests that have their answer, by error code; ok where they succeeded.',
      },
      samples: split(
        tally.answered,
        ([entry, code]) => [
          ['entry', entry!],
          ['code', code!],
        ],
        same,
      ),
    },
    {
      ...{
        name: 'glowplug_requests_retried_total',
        type: 'counter',
        help: 'Requests that were run again after the loss of a card.',
      },
      samples: [[model, tally.retried]],
    },
    {
      ...{ name: 'glowplug_requests_waiting', type: 'gauge', help: 'Requests that wait for a place.' },
      samples: [[model, about.waiting]],
    },
    {
      ...{ name: 'glowplug_requests_active', type: 'gauge', help: 'Requests that are under way.' },
      samples: [[model, about.active]],
    },
    {
      ...{ name: 'glowplug_request_bytes_total', type: 'counter', help: 'Bytes of inputs and of outputs of requests.' },
      samples: [...tally.requestBytes].flatMap(([entry, bytes]): Sample[] => [
        [[...model, ['entry', entry], ['direction', 'in']], bytes.in],
        [[...model, ['entry', entry], ['direction', 'out']], bytes.out],
      ]),
    },
    {
      ...{ name: 'glowplug_request_seconds', type: 'histogram', help: 'From the call to the answer.' },
      samples: split(tally.seconds, byEntry, same),
    },
    {
      ...{ name: 'glowplug_request_queue_seconds', type: 'histogram', help: 'From the call until a request is begun.' },
      samples: [[model, tally.queued]],
    },
    {
      ...{ name: 'glowplug_command_seconds', type: 'histogram', help: 'Runs of parts on cards, copies included.' },
      samples: split(
        tally.commands,
        byCard('part', (part) => about.parts[Number(part)] ?? part),
        same,
      ),
    },
    {
      ...{ name: 'glowplug_command_errors_total', type: 'counter', help: 'Runs of parts that failed, by error code.' },
      samples: split(tally.commandErrors, byCard('code'), same),
    },
    {
      ...{ name: 'glowplug_batch_rows', type: 'histogram', help: 'Rows of requests in runs that several share.' },
      samples: [[model, tally.batches]],
    },
    {
      ...{ name: 'glowplug_batch_padding_rows_total', type: 'counter', help: 'Rows of such runs that no request has.' },
      samples: [[model, tally.padding]],
    },
    {
      ...{
        name: 'glowplug_batch_wait_seconds',
        type: 'histogram',
        help: 'How long the first request of such a run waited for it.',
      },
      samples: [[model, tally.collected]],
    },
    {
      ...{
        name: 'glowplug_link_bytes_total',
        type: 'counter',
        help: 'Bytes that cards were sent by the host, and read from other cards.',
      },
      samples: [...tally.links].flatMap(([card, { host, cards }]): Sample[] => [
        [[...model, ['card', nameOf(card)], ['from', 'host']], host],
        [[...model, ['card', nameOf(card)], ['from', 'cards']], cards],
      ]),
    },
    {
      ...{ name: 'glowplug_card_state', type: 'gauge', help: '1 for the state that a card is in.' },
      samples: cards(({ state }) => states.map((each): Sample => [[['state', each]], each === state ? 1 : 0])),
    },
    {
      ...{ name: 'glowplug_card_restarts_total', type: 'counter', help: 'Times that a card was started anew.' },
      samples: cards(({ restarts }) => [[[], restarts]]),
    },
    {
      ...{ name: 'glowplug_card_errors_total', type: 'counter', help: 'What befell cards, by error code.' },
      samples: split(tally.losses, byCard('code'), same),
    },
    {
      ...{ name: 'glowplug_card_memory_bytes', type: 'gauge', help: 'Bytes that a card holds for the model.' },
      samples: cards(({ bytes }) => Object.entries(bytes).map(([kind, value]): Sample => [[['kind', kind]], value])),
    },
  ]
}

function eventLoopFamilies(): readonly Family[] {
  const delay = delayOfEventLoop()
  if (!delay) return []
  return [
    {
      ...{ name: 'glowplug_event_loop_delay_seconds', type: 'gauge', help: 'How late the event loop comes to what is due.' },
      samples: delay.map(([quantile, value]): Sample => [[['quantile', quantile]], value]),
    },
  ]
}

/** Two servers of one model and bundle are one series. */
function joined(families: readonly Family[]): readonly Family[] {
  const byName = new Map<string, { family: Family; samples: Map<string, [Labels, number | Histogram]> }>()
  for (const family of families) {
    const into = under(byName, family.name, () => ({ family, samples: new Map() }))
    for (const [labels, value] of family.samples) {
      const key = labelText(labels)
      const known = into.samples.get(key)
      if (!known) {
        const own = typeof value === 'number' ? value : { ...value, counts: value.counts.slice() }
        into.samples.set(key, [labels, own])
      } else if (typeof value === 'number') known[1] = (known[1] as number) + value
      else merge(known[1] as Histogram, value)
    }
  }
  return [...byName.values()].map(({ family, samples }) => ({ ...family, samples: [...samples.values()] }))
}

function sampleLines(name: string, [labels, value]: Sample): string[] {
  if (typeof value === 'number') return [`${name}${labelText(labels)} ${numberText(value)}`]
  let below = 0
  const classes = [...value.bounds, Number.POSITIVE_INFINITY].map((bound, i) => {
    below += value.counts[i]!
    return `${name}_bucket${labelText([...labels, ['le', numberText(bound)]])} ${below}`
  })
  return [
    ...classes,
    `${name}_sum${labelText(labels)} ${numberText(value.sum)}`,
    `${name}_count${labelText(labels)} ${value.count}`,
  ]
}

/** Metrics as Prometheus reads them: text format 0.0.4. */
export const textOf = (metrics: readonly Metrics[]): string =>
  joined([...metrics.flatMap(familiesOf), ...eventLoopFamilies()])
    .flatMap(({ name, type, help, samples }) =>
      samples.length === 0
        ? []
        : [
            `# HELP ${name} ${helpText(help)}`,
            `# TYPE ${name} ${type}`,
            ...samples.flatMap((sample) => sampleLines(name, sample)),
          ],
    )
    .map((line) => `${line}\n`)
    .join('')
