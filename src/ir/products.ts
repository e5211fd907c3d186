/** Which letters of an operator's row are multiplied with each other: what its multiply–adds follow from. */
import { operatorOf } from './axes/table.ts';
import { type Related } from './axes/net.ts';
import { inputSizes, intAttribute, intsAttribute, stringAttribute, type NodeView } from './axes/view.ts';

/** As many multiply–adds as the sizes of these letters of the row multiply to (one may stand twice), so many times. */
export type Product = { readonly letters: readonly number[]; readonly times: number };

/** Letters by name (`v/d`: the first that the row has), and how many times; without one of them there is no such product. */
type Term = readonly [letters: string, times: number];
type Terms = (view: NodeView) => readonly Term[];

/** All letters of the row are multiplied, but those whose name is of this form. */
const allBut: Readonly<Record<string, RegExp>> = {
	...Object.fromEntries(
		['MatMul', 'Gemm', 'FusedMatMul', 'FusedGemm', 'Einsum', 'MatMulInteger', 'MatMulIntegerToFloat']
			.concat('QLinearMatMul', 'QGemm', 'DynamicQuantizeMatMul', 'MatMulBnb4')
			.map((op) => [op, /^$/]),
	),
	// Positions of the input: those of the output and of the kernel say how often each is used.
	...Object.fromEntries(
		['Conv', 'FusedConv', 'ConvInteger', 'QLinearConv', 'NhwcConv'].map((op) => [op, /^x\d/]),
	),
	ConvTranspose: /^y\d/,
	// Bytes that hold several numbers, zero points and an order of columns.
	MatMulNBits: /^[xpg]$/,
};

/** A step's input and the state before it, by the matrices of all gates. */
const recurrence: Terms = () => [
	['t b D q h i', 1],
	['t b D q h h', 1],
];

/** The positions that a query is held against: those of the keys that the operator puts out, or would. */
const keys = (view: NodeView): number => operatorOf(view.node)?.sizes(view)[1]?.at(-2) ?? 1;

/** Queries by keys, then weights by values: heads `h` or `k g`, widths of a head `d` and `v`. */
const scores =
	(queries: string, values = queries): Terms =>
	(view) => [
		[queries, keys(view)],
		[values, keys(view)],
	];

/** The projection of queries, keys and values, and what is done with them. */
const packedAttention: Terms = (view) => {
	const widths = new Set(intsAttribute(view, 'qkv_hidden_sizes'));
	if (widths.size < 2) return [['b s i z h d', 1], ...scores('b h s d')(view)];
	return [['b s i h k', 2], ['b s i h v', 1], ...scores('b h s k', 'b h s v')(view)];
};

/** Widths of values have a letter of their own where nothing ties them to those of keys. */
const splitAttention = scores('b s h d', 'b s h v/d');

/** Rows have `h`, or `k g` where queries share keys. */
const standardAttention: Terms = (view) => [
	...scores('b h s d', 'b h s v')(view),
	...scores('b k g s d', 'b k g s v')(view),
];

/** Of the experts, those that a token goes to. */
const mixture: Terms = (view) => {
	const tokens = inputSizes(view, 0)?.length === 2 ? 't' : 'b s';
	const packed = stringAttribute(view, 'activation_type', 'relu') === 'swiglu';
	const matrices = view.inputs[6] !== undefined || packed ? 3 : 2;
	return [[`${tokens} f i`, matrices * intAttribute(view, 'k', 1)]];
};

const several: Readonly<Record<string, Terms>> = {
	LSTM: recurrence,
	GRU: recurrence,
	RNN: recurrence,
	DynamicQuantizeLSTM: recurrence,
	Attention: (view) => (view.node.domain === '' ? standardAttention : packedAttention)(view),
	QAttention: packedAttention,
	MultiHeadAttention: splitAttention,
	GroupQueryAttention: scores('b s k g d'),
	DecoderMaskedMultiHeadAttention: scores('b h d'),
	MoE: mixture,
};

/** Whether an operator's multiply–adds are counted. */
export const isCounted = (op: string): boolean => Object.hasOwn(allBut, op) || Object.hasOwn(several, op);

export function productsOf({ node, view, row }: Related): readonly Product[] {
	const letters = row?.letters ?? [];
	const other = allBut[node.op];
	if (other !== undefined && letters.length > 0)
		return [{ letters: [...letters.keys()].filter((at) => !other.test(letters[at]?.name ?? '')), times: 1 }];
	const named = (name: string): number => letters.findIndex((letter) => letter.name === name);
	return (several[node.op]?.(view) ?? []).flatMap(([words, times]) => {
		const found = words.split(' ').map(
			(word) =>
				word
					.split('/')
					.map(named)
					.find((at) => at >= 0) ?? -1,
		);
		return found.includes(-1) ? [] : [{ letters: found, times }];
	});
}
