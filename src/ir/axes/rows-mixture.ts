/** Fused decoders and mixtures of experts. https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md */
import { INT32, UINT8 } from '../graph/dtype.ts';
import { noted, type Operator, type Removal, type Resized, int } from './operator.ts';
import { inputSizes, intAttribute, stringAttribute, type NodeView } from './view.ts';

const ms = 'com.microsoft';
const given = (view: NodeView, slot: number, text: string): string => (view.inputs[slot] ? text : '_');

/** One token a step against a cache; beams read each other's cache. */
function decoderAxes(view: NodeView): string {
	const b = view.inputs[3] || view.inputs[9] ? '!b' : 'b';
	const cache = `${given(view, 5, `${b} h !p d`)}, ${given(view, 6, `${b} h !p d`)}`;
	const bias = given(view, 4, `${b} h _ _`);
	const keys = (slot: number): string =>
		given(view, slot, (inputSizes(view, slot)?.length ?? 3) === 4 ? `${b} h !t d` : `${b} _ (h d)`);
	const inputs = `${b} _ (h d), ${keys(1)}, ${keys(2)}, _, ${bias}, ${cache}, _, _, _, ${given(view, 10, '(h d)+(h d)+(h d)')}`;
	return `${inputs} -> ${b} _ (h d), ${b} h !u d, ${b} h !u d`;
}

function decoderSizes(view: NodeView): (number[] | undefined)[] {
	const [q, past] = [inputSizes(view, 0), inputSizes(view, 5)];
	if (q === undefined) return [];
	const h = intAttribute(view, 'num_heads', 1);
	const length = past?.[2] ?? 0;
	const shared = intAttribute(view, 'past_present_share_buffer', 0) === 1;
	const cache = [q[0] ?? 1, h, shared ? length : length + (q[1] ?? 1), (q[2] ?? h) / h];
	return [[...q], cache, cache];
}

/** Hidden width in and out `i`, experts `e`, each expert's own width `f`; packed gates lie side by side or in halves. */
function mixtureAxes(view: NodeView): string {
	const flat = inputSizes(view, 0)?.length === 2;
	const tokens = flat ? 't' : '!b !s';
	const packed = stringAttribute(view, 'activation_type', 'relu') === 'swiglu';
	const fusion = intAttribute(view, 'swiglu_fusion', 0);
	const up = !packed || fusion === 0 ? 'f' : fusion === 1 ? '(f !z)' : '(!z f)';
	const experts = `e ${up} i, ${given(view, 3, `e ${up}`)}, e i f, ${given(view, 5, 'e i')}`;
	const gate = `${given(view, 6, 'e f i')}, ${given(view, 7, 'e f')}`;
	return `${tokens} i, ${flat ? 't' : '!t'} e, ${experts}, ${gate} -> ${tokens} i`;
}

/** Widths are packed and scaled in blocks, and stay; experts lie first in everything that is theirs. */
function quantizedMixtureAxes(view: NodeView): string {
	const flat = inputSizes(view, 0)?.length === 2;
	const tokens = flat ? 't !i' : '!b !s !i';
	const own = view.inputs.slice(2).map((operand) => {
		const rank = operand?.sizes?.length ?? 0;
		return rank === 0 ? '_' : ['e', ...Array.from({ length: rank - 1 }, () => '_')].join(' ');
	});
	return `${[tokens, `${flat ? 't' : '!t'} e`, ...own].join(', ')} -> ${tokens}`;
}

/** A token goes to `k` experts, or to all of them where fewer are left. */
function asManyExperts(view: NodeView, removal: Removal): Resized {
	const [k, left] = [intAttribute(view, 'k', 1), removal.count('e')];
	return left < k ? { attributes: { k: int(left) } } : {};
}

/** It chooses by the scores of the router, the second operand. */
const routes = (view: NodeView): ReturnType<NonNullable<Operator['chooses']>> => {
	const axis = (inputSizes(view, 1)?.length ?? 1) - 1;
	return { slot: 1, axis, count: intAttribute(view, 'k', 1), clips: true };
};

export const mixtureRows: readonly Operator[] = [
	noted('DecoderMaskedMultiHeadAttention', {
		domain: ms,
		axes: decoderAxes,
		hints: (view) => ({ sizes: { h: intAttribute(view, 'num_heads', 1) }, roles: { d: 'scale' } }),
		sizes: decoderSizes,
		resize: (_, removal) => ({ attributes: { num_heads: int(removal.count('h')) } }),
		examples: [
			{
				inputs: [
					...[[2, 1, 15], [2, 1, 15], [2, 1, 15], null, null, [2, 5, 6, 3], [2, 5, 6, 3]],
					...[{ ints: [3], type: INT32 }, null, null, [45]],
				],
				outputs: 3,
				attributes: { num_heads: int(5), past_present_share_buffer: int(1) },
			},
			{
				inputs: [
					[2, 1, 15],
					[2, 5, 4, 3],
					[2, 5, 4, 3],
				],
				attributes: { num_heads: int(5) },
			},
		],
	}),
	noted('MoE', {
		domain: ms,
		axes: mixtureAxes,
		hints: () => ({ sizes: { z: 2 }, roles: { i: 'recurrent', e: 'routed' } }),
		// An expert's own unit is silent once what it writes is zero; its bias speaks even where its weights are zero.
		zeroPoints: { 2: null, 3: null },
		sizes: (view) => [inputSizes(view, 0)],
		resize: asManyExperts,
		chooses: routes,
		examples: [
			{
				inputs: [
					[6, 5],
					[6, 4],
					[4, 8, 5],
					[4, 8],
					[4, 5, 8],
					[4, 5],
				],
				attributes: { k: int(2), activation_type: { kind: 'string', value: 'relu' } },
			},
			{
				inputs: [
					[6, 5],
					[6, 4],
					[4, 16, 5],
					[4, 16],
					[4, 5, 8],
					[4, 5],
				],
				attributes: {
					k: int(2),
					activation_type: { kind: 'string', value: 'swiglu' },
					swiglu_fusion: int(1),
				},
			},
		],
	}),
	noted('QMoE', {
		domain: ms,
		axes: quantizedMixtureAxes,
		hints: () => ({ roles: { e: 'routed' } }),
		sizes: (view) => [inputSizes(view, 0)],
		resize: asManyExperts,
		chooses: routes,
		examples: [
			{
				inputs: [
					[6, 16],
					[6, 4],
					{ sizes: [4, 64, 16], type: UINT8, below: 255 },
					{ sizes: [4, 64], positive: true },
					null,
					{ sizes: [4, 16, 32], type: UINT8, below: 255 },
					{ sizes: [4, 16], positive: true },
				],
				attributes: {
					k: int(2),
					expert_weight_bits: int(8),
					activation_type: { kind: 'string', value: 'swiglu' },
					swiglu_fusion: int(1),
				},
			},
		],
	}),
];
