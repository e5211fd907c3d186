/** What fused attention operators compute, drawn in plain ones. */
import { bug } from '../../diagnostic.ts';
import { fusedAttentions } from '../../ir/anatomy/attention.ts';
import { type Net, type NetNode } from '../../ir/axes/net.ts';
import { intAttribute, intsAttribute, type NodeView } from '../../ir/axes/view.ts';
import { BOOL, FLOAT, FLOAT16, INT64 } from '../../ir/graph/dtype.ts';
import { type Node, type ValueName } from '../../ir/graph/graph.ts';
import { type Drawing } from '../draw.ts';

type Projections = {
	readonly queries: ValueName;
	readonly keys: ValueName;
	readonly values: ValueName;
};

/** How a mask says which keys count: by number of keys, [batch]; by key, [batch, keys]; by query and key, [batch, queries, keys]. */
type MaskKind = 'lengths' | 'keys' | 'pairs';

/** A fused attention, told apart from its operator. */
export type Form = {
	readonly heads: number;
	/** Of the scores. */
	readonly scale: number;
	readonly causal: boolean;
	/** Whole numbers, positive where a key counts; the others get `filter` added to their scores. */
	readonly mask?: { readonly name: ValueName; readonly kind: MaskKind };
	readonly filter: number;
	/** Added to the scores; or, where they are bool, false where a key does not count. */
	readonly bias?: { readonly name: ValueName; readonly type: number };
	/** Each [batch, tokens, heads · width]. */
	readonly project: (draw: Drawing) => Projections;
};

const readers = new Map<string, (node: NetNode) => Form | string>([
	['com.microsoft.Attention', packedForm],
	['com.microsoft.MultiHeadAttention', separateForm],
	['.Attention', standardForm],
]);
const keyOf = ({ domain, op }: Node): string => `${domain}.${op}`;

export function fusedIn({ nodes }: Net): NetNode[] {
	return nodes.filter(({ node }) => fusedAttentions.has(node.op));
}

/** What a fused attention computes; or why it cannot be said in plain operators, in words. */
export function formOf(node: NetNode): Form | string {
	const { op } = node.node;
	return readers.get(keyOf(node.node))?.(node) ?? `${op} has no form in plain operators here`;
}

const input = ({ node }: NetNode, slot: number): ValueName | undefined =>
	node.inputs[slot] === '' ? undefined : node.inputs[slot];

function hasCache(node: NetNode, slots: readonly number[]): boolean {
	return slots.some((slot) => input(node, slot) !== undefined) || node.node.outputs.slice(1).some(Boolean);
}

/** https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.Attention */
function packedForm(node: NetNode): Form | string {
	const { view } = node;
	if (hasCache(node, [4, 6])) return 'it has a cache';
	if (intAttribute(view, 'do_rotary', 0) !== 0) return 'it turns queries and keys itself';
	const mask = maskOf(node, 3);
	if (typeof mask === 'string') return mask;
	const each = (view.inputs[1]?.sizes?.[1] ?? 0) / 3;
	const [q = each, k = each, v = each] = intsAttribute(view, 'qkv_hidden_sizes') ?? [];
	const project = (draw: Drawing): Projections => {
		const product = draw.op('MatMul', [input(node, 0) ?? '', input(node, 1) ?? '']);
		const bias = input(node, 2);
		const all = bias === undefined ? product : draw.op('Add', [product, bias]);
		const [queries = '', keys = '', values = ''] = draw.split(all, [q, k, v], 2);
		return { queries, keys, values };
	};
	return { ...common(view, q), ...mask, ...biasOf(node, 5), project };
}

/** https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.MultiHeadAttention */
function separateForm(node: NetNode): Form | string {
	const { view } = node;
	if (hasCache(node, [6, 7, 8, 9])) return 'it has a cache';
	const sizes = [0, 1, 2].map((slot) => view.inputs[slot]?.sizes);
	if (sizes.some((one) => one?.length !== 3)) return 'its operands are packed';
	const mask = maskOf(node, 4);
	if (typeof mask === 'string') return mask;
	const widths = sizes.map((one) => one?.[2] ?? 0);
	const project = (draw: Drawing): Projections => {
		const bias = input(node, 3);
		const parts = bias === undefined ? [] : draw.split(bias, widths, 0);
		const [queries = '', keys = '', values = ''] = [0, 1, 2].map((slot) => {
			const [name = '', part] = [input(node, slot), parts[slot]];
			return part === undefined ? name : draw.op('Add', [name, part]);
		});
		return { queries, keys, values };
	};
	return { ...common(view, widths[0] ?? 0), ...mask, ...biasOf(node, 5), project };
}

/** https://onnx.ai/onnx/operators/onnx__Attention.html */
function standardForm(node: NetNode): Form | string {
	const { view } = node;
	if (hasCache(node, [4, 5, 6])) return 'it has a cache';
	if ([0, 1, 2].some((slot) => view.inputs[slot]?.sizes?.length !== 3))
		return 'its heads have an axis of their own';
	const heads = intAttribute(view, 'q_num_heads', 1);
	if (intAttribute(view, 'kv_num_heads', heads) !== heads) return 'keys are for groups of queries';
	if (intAttribute(view, 'softcap', 0) !== 0) return 'it caps its scores';
	const [queries = '', keys = '', values = ''] = [0, 1, 2].map((slot) => input(node, slot));
	const { scale } = common(view, view.inputs[0]?.sizes?.[2] ?? 0, heads);
	const causal = intAttribute(view, 'is_causal', 0) !== 0;
	const project = (): Projections => ({ queries, keys, values });
	return { heads, scale, causal, filter: 0, ...biasOf(node, 3), project };
}

function common(
	view: NodeView,
	width: number,
	heads = intAttribute(view, 'num_heads', 1),
): Pick<Form, 'heads' | 'scale' | 'causal' | 'filter'> {
	const given = intAttribute(view, 'scale', 0);
	return {
		heads,
		// 0 stands for what is usual.
		scale: given === 0 ? 1 / Math.sqrt(width / heads) : given,
		causal: intAttribute(view, 'unidirectional', 0) !== 0,
		filter: intAttribute(view, 'mask_filter_value', -10000),
	};
}

function biasOf(node: NetNode, slot: number): Pick<Form, 'bias'> {
	const name = input(node, slot);
	return name === undefined ? {} : { bias: { name, type: node.view.inputs[slot]?.type ?? FLOAT } };
}

function maskOf(node: NetNode, slot: number): Pick<Form, 'mask'> | string {
	const name = input(node, slot);
	if (name === undefined) return {};
	const [sizes, batch] = [node.view.inputs[slot]?.sizes, node.view.inputs[0]?.sizes?.[0]];
	const kinds: readonly (MaskKind | undefined)[] = [undefined, 'lengths', 'keys', 'pairs'];
	const kind = kinds[sizes?.length ?? 0];
	return kind === undefined || sizes?.[0] !== batch
		? `its mask of ${sizes?.join(' × ') ?? 'unknown'} is of no form that plain operators take here`
		: { mask: { name, kind } };
}

/** The operators of a fused attention; the last of them takes its place, so that its output keeps its name. */
export function drawAttention(draw: Drawing, node: NetNode): Node {
	const form = formOf(node);
	if (typeof form === 'string') bug('a planned attention cannot be drawn', { why: form });
	const { heads, scale } = form;
	const type = node.view.inputs[0]?.type ?? FLOAT;
	const { queries, keys, values } = form.project(draw);
	const split = (value: ValueName, perm: readonly number[]): ValueName =>
		draw.op('Transpose', [draw.reshape(value, [0, 0, heads, -1])], { perm });
	const product = draw.op('MatMul', [split(queries, [0, 2, 1, 3]), split(keys, [0, 2, 3, 1])]);
	const scores = drawMasks(draw, form, draw.op('Mul', [product, draw.scalar(scale, type)]), type);
	const weights = draw.op('Softmax', [scores], { axis: 3 });
	const mixed = draw.op('MatMul', [weights, split(values, [0, 2, 1, 3])]);
	const merged = draw.op('Transpose', [mixed], { perm: [0, 2, 1, 3] });
	const { id, name, outputs } = node.node;
	const inputs = [merged, draw.ints([0, 0, -1])];
	return { id, name, op: 'Reshape', domain: '', inputs, outputs: outputs.slice(0, 1), attributes: new Map() };
}

/** Scores with what is added to them, and with the lowest number of their type where a query must not see. */
function drawMasks(draw: Drawing, form: Form, product: ValueName, type: number): ValueName {
	const lowest = draw.scalar(type === FLOAT16 ? -65504 : -3.4028234663852886e38, type);
	const { bias, mask } = form;
	let scores = product;
	if (bias !== undefined)
		scores =
			bias.type === BOOL
				? draw.op('Where', [bias.name, product, lowest])
				: draw.op('Add', [product, bias.name]);
	if (mask !== undefined) {
		const seen = drawSeen(draw, mask, product);
		const added = draw.op('Where', [seen, draw.scalar(0, type), draw.scalar(form.filter, type)]);
		scores = draw.op('Add', [scores, added]);
	}
	if (!form.causal) return scores;
	const [rows, columns] = [2, 3].map((axis) => draw.range(draw.size(product, axis)));
	const later = draw.op('Greater', [draw.unsqueeze(columns ?? '', [0]), draw.unsqueeze(rows ?? '', [1])]);
	return draw.op('Where', [later, lowest, scores]);
}

/** Bool that meets scores [batch, heads, queries, keys]: where a key counts. */
function drawSeen(draw: Drawing, { name, kind }: NonNullable<Form['mask']>, scores: ValueName): ValueName {
	if (kind === 'lengths') {
		const positions = draw.range(draw.size(scores, 3));
		return draw.op('Less', [positions, draw.unsqueeze(draw.cast(name, INT64), [1, 2, 3])]);
	}
	const seen = draw.op('Greater', [draw.cast(name, INT64), draw.scalar(0, INT64)]);
	return draw.unsqueeze(seen, kind === 'keys' ? [1, 2] : [1]);
}
