export { scheduleKernels } from './schedule.ts'
