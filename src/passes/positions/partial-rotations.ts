/**
 * Partial rotation (p-RoPE, arXiv:2410.06205): the pairs that turn are cut out of a head, turned and put back between the numbers that pass
 * as they are. Of rotations in single operators, x·cos + (−x₂, x₁)·sin with the halves x₁ and x₂ of a head, whose first pairs turn.
 */
import { present } from '../../diagnostic.ts';
import { type ValueName } from '../../ir/graph/graph.ts';
import { type Edit } from '../../ir/graph/patch.ts';
import { ints } from '../../ir/graph/tensor.ts';
import { type Net, type NetNode, type NetTensor } from '../../ir/axes/net.ts';
import { fixedInts, intsAttribute } from '../../ir/axes/view.ts';
import { attributeInt, insert } from '../edits.ts';
import { rotationAt } from './rotary.ts';

/** Ids of the last nodes of rotations whose first `kept` of `half` pairs turn. */
export type Partial = { readonly rotations: readonly number[]; readonly kept: number; readonly half: number };

/**
 * The rotations without the pairs of these columns, out of `size`; undefined where others than the last pairs go, or where one of them is not
 * written that way.
 */
export function partialOf(
	net: Net,
	rotations: readonly number[],
	columns: readonly number[],
	{ size, half }: { readonly size: number; readonly half: number },
): Partial | undefined {
	const gone = new Set(columns);
	const kept = half - gone.size / (size / half);
	const isSuffix = Array.from({ length: size }, (_, at) => at).every(
		(at) => gone.has(at) === at % half >= kept,
	);
	if (!isSuffix) return undefined;
	const isWritten = rotations.every((id) => partsOf(net, id, half) !== undefined);
	return isWritten ? { rotations, kept, half } : undefined;
}

type Parts = {
	readonly x: NetTensor;
	readonly cosine: NetTensor;
	readonly sine: NetTensor;
	readonly last: NetNode;
	readonly axis: number;
};

function partsOf(net: Net, id: number, half: number): Parts | undefined {
	const last = net.nodes.find(({ node }) => node.id === id);
	const rotation = last && rotationAt(last);
	const x = net.tensors.get(rotation?.input ?? '');
	const { cosine, sine } = rotation ?? {};
	const turned = rotation?.readers[1]?.inputs.find((one) => one !== sine);
	if (last === undefined || x === undefined || cosine === undefined || sine === undefined) return undefined;
	const wide = [x, cosine, sine].every((one) => one.sizes.at(-1) === 2 * half);
	if (!wide || !swapsHalves(turned, x, half) || ![cosine, sine].every(isPlain)) return undefined;
	return { x, cosine, sine, last, axis: x.sizes.length - 1 };
}

/** (−x₂, x₁), the halves of the last axis. */
function swapsHalves(turned: NetTensor | undefined, x: NetTensor, half: number): boolean {
	const [negated, straight, ...others] = turned?.producer?.inputs ?? [];
	const [second] = negated?.producer?.inputs ?? [];
	if (turned?.producer?.node.op !== 'Concat' || others.length > 0) return false;
	if (negated?.producer?.node.op !== 'Neg' || second === undefined || straight === undefined) return false;
	return isHalf(straight, x, 0, half) && isHalf(second, x, half, half);
}

function isHalf(part: NetTensor, x: NetTensor, from: number, half: number): boolean {
	const { producer } = part;
	if (producer?.inputs[0] !== x || part.sizes.at(-1) !== half) return false;
	if (part.sizes.length !== x.sizes.length) return false;
	if (producer.node.op === 'Split') return producer.outputs.indexOf(part) === from / half;
	if (producer.node.op !== 'Slice') return false;
	const [start] = intsAttribute(producer.view, 'starts') ?? fixedInts(producer.view, 1) ?? [];
	return start === from || (from > 0 && start === -half);
}

const movers = new Set(['Unsqueeze', 'Squeeze', 'Reshape', 'Expand', 'Cast', 'Identity', 'Slice', 'Gather']);

/** Cosines or sines themselves: times a number, those that do not turn would not be one. */
function isPlain(value: NetTensor): boolean {
	const { producer } = value;
	if (producer === undefined || producer.node.op === 'Cos' || producer.node.op === 'Sin') return true;
	const [first] = producer.inputs;
	return movers.has(producer.node.op) && first !== undefined && isPlain(first);
}

/** Both parts of the pairs that turn, the rest beside them; cosines and sines are cut once for all who read them. */
export function partialEdits(
	net: Net,
	{ rotations, kept, half }: Partial,
	fresh: (base: string) => ValueName,
): Edit[] {
	const edits: Edit[] = [];
	const cut = new Map<NetTensor, readonly ValueName[]>();
	const quarters = (value: NetTensor): readonly ValueName[] => {
		const known = cut.get(value);
		if (known !== undefined) return known;
		const names = ['turning', 'rest', 'turning', 'rest'].map((word) => fresh(`${value.name}_${word}`));
		edits.push(...splitInto(net, value, [kept, half - kept, kept, half - kept], names, fresh));
		cut.set(value, names);
		return names;
	};
	for (const id of rotations) {
		const parts = present(partsOf(net, id, half), 'a rotation of the plan');
		const [output = ''] = parts.last.node.outputs;
		if (kept === 0) edits.push({ kind: 'rewire', from: output, to: parts.x.name });
		else edits.push(...turned(parts, quarters, fresh));
	}
	return edits;
}

/** The quarters of a head: x₁ and x₂, each as what turns and what passes. */
function turned(
	{ x, cosine, sine, last, axis }: Parts,
	quarters: (value: NetTensor) => readonly ValueName[],
	fresh: (base: string) => ValueName,
): Edit[] {
	const [[x1 = '', plain1 = '', x2 = '', plain2 = ''], [c1 = '', , c2 = ''], [s1 = '', , s2 = '']] = [
		quarters(x),
		quarters(cosine),
		quarters(sine),
	];
	const name = (word: string): ValueName => fresh(`${last.node.outputs[0] ?? 'rotation'}_${word}`);
	const [a, b, c, d] = [name('product'), name('product'), name('product'), name('product')];
	const [first, second] = [name('first'), name('second')];
	return [
		insert('Mul', [x1, c1], a),
		insert('Mul', [x2, s1], b),
		insert('Sub', [a, b], first),
		insert('Mul', [x2, c2], c),
		insert('Mul', [x1, s2], d),
		insert('Add', [c, d], second),
		{
			kind: 'node',
			node: {
				...last.node,
				op: 'Concat',
				inputs: [first, plain1, second, plain2],
				attributes: attributeInt('axis', axis),
			},
		},
	];
}

function splitInto(
	{ model }: Net,
	value: NetTensor,
	sizes: readonly number[],
	outputs: readonly ValueName[],
	fresh: (base: string) => ValueName,
): Edit[] {
	const axis = attributeInt('axis', value.sizes.length - 1);
	const asInput = (model.opsets.get('') ?? 1) >= 13;
	const name = fresh(`${value.name}_sizes`);
	const attributes = asInput ? axis : new Map([...axis, ['split', { kind: 'ints', value: sizes }] as const]);
	const inputs = asInput ? [value.name, name] : [value.name];
	const split: Edit = {
		kind: 'insert',
		node: { name: '', op: 'Split', domain: '', inputs, outputs, attributes },
	};
	return asInput ? [{ kind: 'constant', tensor: ints(name, [sizes.length], sizes) }, split] : [split];
}
