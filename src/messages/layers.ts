/** Messages of statements that make several layers one, or let them share. */
import { defineDiagnostic } from '../diagnostic.ts';

export const oneLayer = defineDiagnostic({
	code: 'plan/one-layer',
	severity: 'error',
	explain:
		'Sharing and fusing need two layers at least. Ranges are half-open: `layers 2..4` are the layers 2 and 3.',
	message: ({ what, reading }: { what: string; reading: string | undefined }) =>
		`${what} needs two layers, and this selects ${reading ?? 'one'}`,
	hint: () => 'ranges are half-open: `layers 2..4` are the layers 2 and 3, and so are `layers 2..=3`',
});
export const basisAndAmount = defineDiagnostic({
	code: 'plan/basis-and-amount',
	severity: 'error',
	explain:
		'A basis that several layers share has a rank: `rank 64`, `energy 95%` of what the matrices hold, or `ratio 50%` of their numbers. The other ways of sharing take whole tensors, and have none.',
	message: ({ hasAmount }: { hasAmount: boolean }) =>
		hasAmount
			? 'an amount says how large a shared basis is, and this statement shares no basis'
			: '`with basis` does not say how large the basis is',
	hint: ({ hasAmount }) => (hasAmount ? 'say `with basis`' : 'say `ratio 50%`, `energy 95%` or a `rank`'),
});
export const layerStays = defineDiagnostic({
	code: 'plan/layer-stays',
	severity: 'warning',
	explain:
		'Layers can read one tensor, or become one layer, where their matrices have the same sizes, layouts and element type and are stored as numbers.',
	message: ({ layer, why }: { layer: number; why: string }) => `layer ${layer} stays as it is: ${why}`,
});
export const notTakenUp = defineDiagnostic({
	code: 'plan/not-taken-up',
	severity: 'note',
	explain:
		'With data, a matrix before the layers that go takes up what they did. It must be the last thing before a plain residual sum: with norms after the sums, and before the first layer, there is none.',
	message: ({ layer, why }: { layer: number; why: string }) =>
		`nothing takes up what layer ${layer} did: ${why}`,
});
export const cannotFuse = defineDiagnostic({
	code: 'plan/cannot-fuse-layers',
	severity: 'error',
	explain:
		'Layers become one where each ends in a sum that can be followed. Differences need matrices of the same sizes in every layer; absorption a last matrix whose product, but for a bias, is what the sum adds.',
	message: ({ layer, why }: { layer: number; why: string }) => `layer ${layer} cannot be fused: ${why}`,
	hint: () => '`prune layers` takes layers away without the others taking anything up',
});
