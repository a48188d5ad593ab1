export { type RecomputeReport, recomputeKernels, scheduleWithin } from './recompute.ts'
export { readBeforeRenewing } from './renewing.ts'
export { type Scheduled, type ScheduleReport, scheduleKernels } from './schedule.ts'
