/** From decisions to graphs: the patch of a step, its reference and its negative control. Pure; nothing is decided here. */
import { bug, Fault, present } from '../diagnostic.ts';
import { rewriteCut } from '../ir/axes/rewrite.ts';
import { verifyCut, type Cut } from '../ir/axes/cut.ts';
import { type Net, type NetNode, type NetTensor } from '../ir/axes/net.ts';
import { FLOAT } from '../ir/graph/dtype.ts';
import { type Attribute, type Model, type Node, type Tensor, type ValueName } from '../ir/graph/graph.ts';
import { applyPatch, freshNames, type Edit, type Patch } from '../ir/graph/patch.ts';
import { floats, numbersOf, tensorOf } from '../ir/graph/tensor.ts';
import { broken } from '../messages/plan.ts';
import { type Decision, type Lowered, type Mask } from './technique.ts';

type CutDecision = Extract<Decision, { kind: 'cut' }>;
type Factors = Extract<Decision, { kind: 'factors' }>;
type Bypass = Extract<Decision, { kind: 'bypass' }>;

export function lower(
	net: Net,
	decision: Decision,
	tensors: ReadonlyMap<string, Tensor>,
	label: string,
): Lowered {
	switch (decision.kind) {
		case 'cut':
			return lowerCut(net, decision, label);
		case 'bypass':
			return lowerBypass(net.model, decision, label);
		case 'factors':
			return lowerFactors(net.model, decision, tensors, label);
	}
}

function flags(size: number, dead: readonly number[]): Uint8Array {
	const set = new Uint8Array(size);
	dead.forEach((position) => {
		set[position] = 1;
	});
	return set;
}

/** The cut that a decision spells out. */
export function cutFrom(net: Net, decision: CutDecision): Cut {
	const dead = new Map<NetTensor, (Uint8Array | undefined)[]>();
	for (const entry of decision.axes) {
		const tensor =
			net.tensors.get(entry.tensor) ??
			bug('a plan names a tensor that is not there', { tensor: entry.tensor });
		const axes = dead.get(tensor) ?? [];
		dead.set(tensor, axes);
		axes[entry.axis] = flags(tensor.sizes[entry.axis] ?? 0, entry.dead);
	}
	const letters = new Map<NetNode, (Uint8Array | undefined)[]>();
	for (const entry of decision.letters) {
		const node =
			net.byNode.get(entry.node) ?? bug('a plan names a node that is not there', { node: entry.node });
		const at = node.row?.letters.findIndex(({ name }) => name === entry.letter) ?? -1;
		const sets = letters.get(node) ?? [];
		letters.set(node, sets);
		sets[at] = flags(node.row?.letters[at]?.size ?? 0, entry.dead);
	}
	return { dead, letters };
}

function lowerCut(net: Net, decision: CutDecision, label: string): Lowered {
	const cut = cutFrom(net, decision);
	const problems = verifyCut(net, cut);
	if (problems.length > 0) throw new Fault(...problems.slice(0, 5).map((why) => broken({ why })));
	const rewritten = rewriteCut(net, cut);
	if ('refused' in rewritten) throw new Fault(broken({ why: rewritten.refused }));
	const reference = maskModel(net, decision.masks, 'reference');
	const control =
		decision.control.length > 0
			? maskModel(net, [...decision.masks, ...decision.control], 'control')
			: undefined;
	return { patch: { label, edits: rewritten.edits }, reference, ...(control && { control }) };
}

/** The model with zeros multiplied in where values are read: the plainest graph that means the removal. */
function maskModel(net: Net, masks: readonly Mask[], label: string): Model {
	const fresh = freshNames(net.model.graph);
	const merged = new Map<string, { value: ValueName; axis: number; dead: Set<number> }>();
	for (const { value, axis, dead } of masks) {
		const key = `${value}|${axis}`;
		const known = merged.get(key) ?? { value, axis, dead: new Set<number>() };
		merged.set(key, known);
		dead.forEach((position) => known.dead.add(position));
	}
	let model = net.model;
	for (const { value, axis, dead } of merged.values()) {
		model = applyPatch(model, { label, edits: maskEdits(net, model, fresh, value, axis, dead) });
	}
	return model;
}

function maskEdits(
	net: Net,
	model: Model,
	fresh: (base: string) => ValueName,
	value: ValueName,
	axis: number,
	dead: ReadonlySet<number>,
): Edit[] {
	const tensor = present(net.tensors.get(value), `value '${value}'`);
	const size = tensor.sizes[axis] ?? 0;
	const dims = tensor.sizes.map((_, at) => (at === axis ? size : 1));
	const zeros = Array.from({ length: size }, (_, position) => (dead.has(position) ? 0 : 1));
	const type = net.facts.of(value)?.type ?? FLOAT;
	const [mask, masked] = [fresh(`${value}_mask`), fresh(`${value}_masked`)];
	const readers = model.graph.nodes.filter((node) => node.inputs.includes(value));
	return [
		{ kind: 'constant', tensor: tensorOf(mask, type === 0 ? FLOAT : type, dims, zeros) },
		...readers.map((node): Edit => ({
			kind: 'node',
			node: { ...node, inputs: node.inputs.map((name) => (name === value ? masked : name)) },
		})),
		insert('Mul', [value, mask], masked),
	];
}

function insert(
	op: string,
	inputs: readonly ValueName[],
	output: ValueName,
	attributes: ReadonlyMap<string, Attribute> = new Map(),
): Edit {
	return { kind: 'insert', node: { name: '', op, domain: '', inputs, outputs: [output], attributes } };
}

/** Rewrite: readers of a layer's result read what went in. Reference: result = input + 0 · (result − input). */
function lowerBypass(model: Model, { pairs }: Bypass, label: string): Lowered {
	const patch: Patch = { label, edits: pairs.map(({ from, to }) => ({ kind: 'rewire', from, to })) };
	const fresh = freshNames(model.graph);
	const zero = fresh('zero');
	const reference = pairs.reduce((current, { from, to }) => {
		const constant: Edit = { kind: 'constant', tensor: floats(zero, [], [0]) };
		return applyPatch(current, {
			label: 'reference',
			edits: [constant, ...blendEdits(current, fresh, from, to, zero)],
		});
	}, model);
	return { patch, reference };
}

function blendEdits(
	model: Model,
	fresh: (base: string) => ValueName,
	from: ValueName,
	to: ValueName,
	zero: ValueName,
): Edit[] {
	const [difference, scaled, blended] = [
		fresh(`${from}_difference`),
		fresh(`${from}_scaled`),
		fresh(`${from}_blended`),
	];
	const readers = model.graph.nodes.filter((node) => node.inputs.includes(from));
	const isOutput = model.graph.outputs.some(({ name }) => name === from);
	const maker = model.graph.nodes.find((node) => node.outputs.includes(from));
	const original = isOutput ? fresh(`${from}_original`) : from;
	const moved: Edit[] =
		isOutput && maker
			? [
					{
						kind: 'node',
						node: { ...maker, outputs: maker.outputs.map((name) => (name === from ? original : name)) },
					},
				]
			: [];
	const result = isOutput ? from : blended;
	return [
		...moved,
		...readers
			.filter((node) => node.id !== maker?.id)
			.map((node): Edit => ({
				kind: 'node',
				node: { ...node, inputs: node.inputs.map((name) => (name === from ? result : name)) },
			})),
		insert('Sub', [original, to], difference),
		insert('Mul', [difference, zero], scaled),
		insert('Add', [to, scaled], result),
	];
}

/** Rewrite: a product with the first factor, then with the second. Reference: one product with the factors' product. */
function lowerFactors(
	model: Model,
	{ matrices }: Factors,
	tensors: ReadonlyMap<string, Tensor>,
	label: string,
): Lowered {
	const fresh = freshNames(model.graph);
	const edits: Edit[] = [];
	const plain: Edit[] = [];
	for (const { node: id, slot, left, right } of matrices) {
		const node =
			model.graph.nodes.find((one) => one.id === id) ?? bug('a plan names a node that is not there', { id });
		const [a, b] = [present(tensors.get(left), left), present(tensors.get(right), right)];
		const base = node.inputs[slot] ?? 'weight';
		const [nameA, nameB, nameW] = [fresh(`${base}_left`), fresh(`${base}_right`), fresh(`${base}_product`)];
		edits.push(
			{ kind: 'constant', tensor: { ...a, name: nameA } },
			{ kind: 'constant', tensor: { ...b, name: nameB } },
			...twoProducts(node, fresh, nameA, nameB),
		);
		plain.push(
			{ kind: 'constant', tensor: productOf(a, b, nameW, isTransposed(node)) },
			{
				kind: 'node',
				node: { ...node, inputs: node.inputs.map((name, at) => (at === slot ? nameW : name)) },
			},
		);
	}
	return { patch: { label, edits }, reference: applyPatch(model, { label: 'reference', edits: plain }) };
}

function isTransposed(node: Node): boolean {
	const attribute = node.attributes.get('transB');
	return attribute?.kind === 'int' && attribute.value === 1;
}

/** X·W becomes (X·A)·B in the operator the node has: Gemm keeps alpha, beta and bias on the second product. */
function twoProducts(
	node: Node,
	fresh: (base: string) => ValueName,
	left: ValueName,
	right: ValueName,
): Edit[] {
	const middle = fresh(`${node.outputs[0] ?? 'product'}_factor`);
	const [x = '', , ...rest] = node.inputs;
	const without = (...names: string[]): Map<string, Attribute> =>
		new Map([...node.attributes].filter(([name]) => !names.includes(name)));
	const first: Edit = {
		kind: 'insert',
		node: {
			name: node.name === '' ? '' : `${node.name}_left`,
			op: node.op,
			domain: node.domain,
			inputs: [x, left],
			outputs: [middle],
			attributes: without('transB', 'alpha', 'beta'),
		},
	};
	const second: Edit = {
		kind: 'node',
		node: { ...node, inputs: [middle, right, ...rest], attributes: without('transB', 'transA') },
	};
	return [first, second];
}

function productOf(a: Tensor, b: Tensor, name: string, transposed: boolean): Tensor {
	const [rows = 0, rank = 0] = a.dims;
	const cols = b.dims[1] ?? 0;
	const [left, right] = [numbersOf(a), numbersOf(b)];
	const product = new Float64Array(rows * cols);
	for (let i = 0; i < rows; i++) {
		for (let k = 0; k < rank; k++) {
			const factor = left[i * rank + k] ?? 0;
			for (let j = 0; j < cols; j++) {
				const at = transposed ? j * rows + i : i * cols + j;
				product[at] = (product[at] ?? 0) + factor * (right[k * cols + j] ?? 0);
			}
		}
	}
	return tensorOf(name, a.type, transposed ? [cols, rows] : [rows, cols], product);
}
