/**
 * Exact fusions: a chain of two projections with nothing between becomes one where the product is smaller, and projections of one
 * value (queries, keys and values; gate and up) become one product and a split.
 */
import { nodeLabel, type Attribute, type Node, type ValueName } from '../../ir/graph/graph.ts';
import { numbersOf } from '../../ir/graph/tensor.ts';
import { type TechniqueWords } from '../../ir/recipe/vocabulary.ts';
import { isActivationMatMul } from './attention-paths.ts';
import { exactTechnique, type Folded } from './exact.ts';
import { added, biasOf, projectionAt, resultOf, setBias, type Projection } from './projection.ts';
import { type Rewriting } from './rewriting.ts';

const words = (target: string, aliases: readonly string[], summary: string): TechniqueWords => ({
	name: `fuse-${target}`,
	verb: 'fuse',
	target,
	aliases,
	summary,
	example: `fuse ${target}`,
	amounts: [],
	bare: true,
	clauses: ['in', 'except'],
	metrics: [],
});

/** Said in the plan: measured on two layers 768 wide, the times differ by less than runs of one model do. */
const sameWork = 'the same multiply-adds, about the same time';

export const fuseLinears = exactTechnique(
	words(
		'linears',
		['chains'],
		'Multiply two projections with nothing between them into one, where that is smaller.',
	),
	[{ name: 'chain', fold: fuseChain }],
	'chains',
);
export const fuseQkv = exactTechnique(
	words('qkv', [], 'One product and a split for the queries, keys and values that read the same value.'),
	[{ name: 'qkv', fold: (r, node) => fuseSiblings(r, node, meetsAttention) }],
	'groups of projections',
	sameWork,
);
export const fuseGates = exactTechnique(
	words(
		'gates',
		['gate'],
		'One product and a split for the gate and up projections of gated feed-forward blocks.',
	),
	[{ name: 'gates', fold: (r, node) => fuseSiblings(r, node, meetsGate) }],
	'gated blocks',
	sameWork,
);

const isMatrixProduct = ({ op, domain }: Node): boolean =>
	domain === '' && (op === 'MatMul' || op === 'Gemm');

/** The second projection of a chain is the site. */
function fuseChain(r: Rewriting, node: Node): Folded | string | undefined {
	if (!isMatrixProduct(node)) return undefined;
	const second = projectionAt(r, node);
	const maker = r.makerOf(node.inputs[0]);
	const inner =
		maker?.op === 'Add' ? r.makerOf(maker.inputs.find((name) => r.constantOf(name) === undefined)) : maker;
	if (maker === undefined || inner === undefined || !isMatrixProduct(inner)) return undefined;
	const first = projectionAt(r, inner);
	if (typeof first === 'string' || resultOf(r, first).id !== maker.id) return undefined;
	if (typeof second === 'string') return second;
	const shared = r.sharedWith(node.inputs[0] ?? '', node);
	if (shared !== undefined) return shared;
	const [n, k, m] = [first.inputs, first.outputs, second.outputs];
	if (n * m >= k * (n + m))
		return `its product of ${n} × ${m} is no smaller than ${n} × ${k} and ${k} × ${m}`;
	const [inside, outside] = [biasOf(r, first), biasOf(r, second)];
	if (typeof inside === 'string') return inside;
	if (typeof outside === 'string') return outside;
	multiply(r, first, second, inside, outside);
	r.retire(maker);
	if (inner.id !== maker.id) r.retire(inner);
	return {};
}

/** The second projection reads what the first one reads, with the product of both as its weight. */
function multiply(
	r: Rewriting,
	first: Projection,
	second: Projection,
	inside: Float64Array | undefined,
	outside: Float64Array | undefined,
): void {
	const [a, b] = [dense(first), dense(second)];
	const [n, k, m] = [first.inputs, first.outputs, second.outputs];
	const turned = second.outOf(1, 0) === 1;
	const product = new Float64Array(n * m);
	const place = (row: number, col: number): number => (turned ? col * n + row : row * m + col);
	for (let row = 0; row < n; row++)
		for (let mid = 0; mid < k; mid++) {
			const by = first.gain * (a[row * k + mid] ?? 0);
			for (let col = 0; col < m; col++) {
				const at = place(row, col);
				product[at] = (product[at] ?? 0) + by * (b[mid * m + col] ?? 0);
			}
		}
	const bias = inside === undefined ? outside : added(second, inside, outside);
	const { weight } = second;
	const name = r.constant(weight.name, weight.type, turned ? [m, n] : [n, m], product);
	const node = r.setInput(r.setInput(second.node, 1, name), 0, first.node.inputs[0] ?? '');
	if (bias !== undefined) setBias(r, { ...second, node, inputs: n }, bias);
}

/** The weight as inputs × outputs, row-major. */
function dense(projection: Projection): Float64Array {
	const { weight, inputs, outputs } = projection;
	const [rows = 0, cols = 0] = weight.dims;
	const numbers = numbersOf(weight);
	const result = new Float64Array(inputs * outputs);
	for (let first = 0; first < rows; first++)
		for (let second = 0; second < cols; second++)
			result[projection.inOf(first, second) * outputs + projection.outOf(first, second)] =
				numbers[first * cols + second] ?? 0;
	return result;
}

type Sibling = {
	readonly projection: Projection;
	readonly result: Node;
	readonly bias: Float64Array | undefined;
};

/** The first of several projections that read a value is the site. */
function fuseSiblings(
	r: Rewriting,
	node: Node,
	meets: (r: Rewriting, results: readonly Node[]) => readonly Node[],
): Folded | string | undefined {
	const [value = ''] = node.inputs;
	const readers = isMatrixProduct(node) ? r.readersOf(value).filter(isMatrixProduct) : [];
	const projections = readers.flatMap((reader) => {
		const projection = projectionAt(r, reader);
		return typeof projection === 'string' || reader.inputs[0] !== value ? [] : [projection];
	});
	const results = projections.map((projection) => resultOf(r, projection, 'next'));
	const together = meets(r, results);
	const chosen = projections.filter((_, at) => together.some(({ id }) => id === results[at]?.id));
	if (chosen.length < 2 || chosen[0]?.node.id !== node.id) return undefined;
	const siblings = siblingsOf(r, chosen);
	if (typeof siblings === 'string') return siblings;
	concatenate(r, siblings);
	return {};
}

function siblingsOf(r: Rewriting, projections: readonly Projection[]): readonly Sibling[] | string {
	const [first] = projections;
	const siblings: Sibling[] = [];
	for (const projection of projections) {
		const { node, weight, gain } = projection;
		if (node.op !== first?.node.op || weight.type !== first.weight.type)
			return `${nodeLabel(node)} is another operator than ${first === undefined ? '' : nodeLabel(first.node)}`;
		if (gain !== 1) return `${nodeLabel(node)} multiplies its product`;
		const bias = biasOf(r, projection, 'next');
		if (typeof bias === 'string') return bias;
		siblings.push({ projection, result: resultOf(r, projection, 'next'), bias });
	}
	return siblings;
}

/** One product over all columns; a Split gives each result its name back. */
function concatenate(r: Rewriting, siblings: readonly Sibling[]): void {
	const [head] = siblings;
	if (head === undefined) return;
	const { node, weight, inputs } = head.projection;
	const widths = siblings.map(({ projection }) => projection.outputs);
	const total = widths.reduce((sum, width) => sum + width, 0);
	const packed = new Float64Array(inputs * total);
	let start = 0;
	for (const { projection } of siblings) {
		const numbers = dense(projection);
		for (let row = 0; row < inputs; row++)
			packed.set(
				numbers.subarray(row * projection.outputs, (row + 1) * projection.outputs),
				row * total + start,
			);
		start += projection.outputs;
	}
	const bias = siblings.some((one) => one.bias !== undefined)
		? Float64Array.from(
				siblings.flatMap(({ bias: own, projection }) => [...(own ?? new Float64Array(projection.outputs))]),
			)
		: undefined;
	const outputs = siblings.map(({ result }) => result.outputs[0] ?? '');
	const base = `${outputs[0] ?? ''}_packed`;
	const name = r.constant(`${weight.name}_packed`, weight.type, [inputs, total], packed);
	siblings.forEach(({ projection, result }) => {
		if (result.id !== projection.node.id) r.retire(result);
		r.retire(projection.node);
	});
	const whole = r.value(base);
	insertProduct(
		r,
		node,
		name,
		bias === undefined ? undefined : r.constant(`${weight.name}_packed_bias`, weight.type, [total], bias),
		whole,
	);
	insertSplit(r, whole, outputs, widths);
}

function insertProduct(
	r: Rewriting,
	{ op, inputs: [x = ''] }: Node,
	weight: ValueName,
	bias: ValueName | undefined,
	output: ValueName,
): void {
	const plain = { name: '', domain: '', attributes: new Map<string, Attribute>() };
	if (op === 'Gemm' || bias === undefined) {
		r.insert({
			...plain,
			op,
			inputs: bias === undefined ? [x, weight] : [x, weight, bias],
			outputs: [output],
		});
		return;
	}
	const product = r.value(`${output}_product`);
	r.insert({ ...plain, op: 'MatMul', inputs: [x, weight], outputs: [product] });
	r.insert({ ...plain, op: 'Add', inputs: [product, bias], outputs: [output] });
}

/** `split` is an attribute before opset 13 and an input from then on. */
function insertSplit(
	r: Rewriting,
	value: ValueName,
	outputs: readonly ValueName[],
	widths: readonly number[],
): void {
	const axis = ['axis', { kind: 'int', value: -1 }] as const;
	const sizes = ['split', { kind: 'ints', value: widths }] as const;
	const late = r.opset() >= 13;
	const attributes = new Map<string, Attribute>(late ? [axis] : [axis, sizes]);
	const inputs = late ? [value, r.constant(`${value}_widths`, 7, [widths.length], widths)] : [value];
	r.insert({ name: '', op: 'Split', domain: '', inputs, outputs, attributes });
}

/** Nodes that a value reaches before the next product. */
function reached(r: Rewriting, from: Node): Node[] {
	const found = new Set<Node>();
	const queue = [from];
	for (let node = queue.shift(); node !== undefined && found.size < 32; node = queue.shift()) {
		for (const reader of node.outputs.flatMap((name) => r.readersOf(name))) {
			if (found.has(reader)) continue;
			found.add(reader);
			if (!isMatrixProduct(reader)) queue.push(reader);
		}
	}
	return [...found];
}

/** Those that reach a product of two activations. */
function meetsAttention(r: Rewriting, results: readonly Node[]): readonly Node[] {
	return results.filter((result) => reached(r, result).some((node) => isActivationMatMul(r, node)));
}

/** Two that meet in a product element by element. */
function meetsGate(r: Rewriting, results: readonly Node[]): readonly Node[] {
	const [left, right] = results;
	if (left === undefined || right === undefined || results.length !== 2) return [];
	const mine = new Set(reached(r, left).map(({ id }) => id));
	return reached(r, right).some(({ op, id }) => op === 'Mul' && mine.has(id)) ? results : [];
}
