// Where the nodes of any dataflow graph go: a plain problem and its solution. Knows no tensors.

/** Something that is computed, or given. */
export interface FlowNode {
  /** Seconds on a device of each type, in the order of the types; Infinity where it cannot be. */
  readonly seconds: readonly number[]
  /** That must be where it is. */
  readonly bytes: number
  /** Of its value: what crosses where a reader is elsewhere, once for each place. */
  readonly crossing: number
  /** Indices of the nodes that it reads, each once. */
  readonly reads: readonly number[]
  /** It is no work and has no place, and each device that reads it has it sent: an input of requests. Reads nothing. */
  readonly given?: boolean
  /** Its value leaves its device, whoever reads it: an output. */
  readonly returned?: boolean
}

/** Devices that are alike. */
export interface DeviceType {
  readonly name: string
  readonly count: number
  readonly bytes: number
  /** To begin what is there, once for each request. */
  readonly launchSeconds: number
  /** To take in or to give out a value: for each, and for each of its bytes. Where host memory is the device's own, 0. */
  readonly secondsPerValue: number
  readonly secondsPerByte: number
}

export interface FlowProblem {
  /** In an order in which they can run. */
  readonly nodes: readonly FlowNode[]
  readonly types: readonly DeviceType[]
  /** Indices of nodes that must be on one device. Default: none. */
  readonly together?: readonly (readonly number[])[]
}

/**
 * What is to be short. `throughput`: the longest that a request keeps a device, which is how far apart requests follow each other. `latency`:
 * from a request to its answer when it is alone.
 */
export const objectives = ['throughput', 'latency'] as const
export type Objective = (typeof objectives)[number]

/** The nodes of one device: they run together, after all that they read is there, and then give all that others read. */
export interface FlowPart {
  readonly type: number
  /** Indices of nodes, rising. */
  readonly nodes: readonly number[]
}

export interface FlowPlacement {
  /** In an order in which they can run; no more of a type than there are devices. Nodes that are given are in none. */
  readonly parts: readonly FlowPart[]
}
