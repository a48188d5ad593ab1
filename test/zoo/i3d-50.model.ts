// The network over films in the form whose size is published.
import { model, weights } from 'glowplug'
import { floatLayers } from '../../fixtures/zoo/blocks/layers.ts'
import { filmNet, i3d50, inputs } from '../../fixtures/zoo/networks/film.ts'

const layers = floatLayers(weights(new URL('./i3d-50.safetensors', import.meta.url)))

export default model({ name: 'i3d', inputs, forward: ({ film }) => ({ logits: filmNet(layers, film, i3d50) }) })
