// What a card's process runs; sent to it as text.
import { runCard } from './runCard.ts'

runCard()
