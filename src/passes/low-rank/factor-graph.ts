/** Products with a matrix become two with its factors; products that share a first factor and what they read make it once. */
import { bug, present } from '../../diagnostic.ts';
import { type Attribute, type Node, type Tensor, type ValueName } from '../../ir/graph/graph.ts';
import { hashOf, sameBytes } from '../../ir/graph/hash.ts';
import { applyPatch, freshNames, type Edit } from '../../ir/graph/patch.ts';
import { numbersOf, tensorOf } from '../../ir/graph/tensor.ts';
import { addBehind, addToBias, type Fresh, type Shifted } from '../exact/bias.ts';
import { insert } from '../edits.ts';
import { type Lowered, type LowerTask } from '../technique.ts';

export type Factored = {
	readonly node: number;
	readonly slot: number;
	readonly rank: number;
	/** Names in the plan's tensors: the factors, in × rank and rank × out. Several matrices may name one left factor. */
	readonly left: string;
	readonly right: string;
	/** What is added to every output, as the factors lose some of the mean; absent without data. */
	readonly shift?: string;
};
export type Factors = { readonly matrices: readonly Factored[] };

/**
 * Rewrite: a product with the first factor, then with the second, what is added in the bias. Reference: one product with
 * the factors' product, what is added behind it.
 */
export function lowerFactors(task: LowerTask<Factors>): Lowered {
	const { model } = task.net;
	const { edits, plain } = factorEdits(task);
	const reference = applyPatch(model, { label: 'reference', edits: plain });
	return {
		patch: { label: task.label, edits },
		claims: [{ says: 'one product with the product of the factors', reference, controls: [() => model] }],
	};
}

/** The edits of the rewrite, and those of its reference. */
export function factorEdits({
	net: { model, byNode },
	decision: { matrices },
	tensors,
}: Omit<LowerTask<Factors>, 'label'>): { readonly edits: readonly Edit[]; readonly plain: readonly Edit[] } {
	const fresh = freshNames(model.graph);
	const edits: Edit[] = [];
	const plain: Edit[] = [];
	const stored = new StoredFactors(fresh);
	const middles = new Middles(fresh, model.opsets.get('') ?? 1);
	for (const { node: id, slot, left, right, shift: added } of matrices) {
		const product = byNode.get(id) ?? bug('a plan names a node that is not there', { id });
		const { node } = product;
		const [a, b] = [present(tensors.get(left), left), present(tensors.get(right), right)];
		const shift = added === undefined ? undefined : present(tensors.get(added), added);
		const base = node.inputs[slot] ?? 'weight';
		const nameW = fresh(`${base}_product`);
		const [nameA, first] = stored.factor(a, `${base}_left`);
		const [nameB, second] = stored.factor(b, `${base}_right`);
		const factors: Edit[] = [...first, ...second];
		const same: Shifted = { node, edits: [] };
		const small = shift === undefined ? same : addToBias(product, scaledBy(node, shift), fresh);
		const whole = shift === undefined ? same : addBehind(node, scaledBy(node, shift), fresh);
		const [middle, made] = middles.product(small.node, nameA);
		edits.push(...factors, ...made, secondProduct(small.node, middle, nameB), ...small.edits);
		const inputs = whole.node.inputs.map((name, at) => (at === slot ? nameW : name));
		plain.push(
			...factors,
			...theirProduct(nameA, nameB, nameW, isTransposed(node), fresh),
			{ kind: 'node', node: { ...whole.node, inputs } },
			...whole.edits,
		);
	}
	return { edits, plain };
}

/** Equal factors stand once: those that several matrices share, and those of one matrix that several layers read. */
class StoredFactors {
	private readonly fresh: Fresh;
	private readonly stored = new Map<string, Tensor[]>();

	constructor(fresh: Fresh) {
		this.fresh = fresh;
	}

	factor(tensor: Tensor, base: string): readonly [ValueName, readonly Edit[]] {
		const key = [tensor.type, ...tensor.dims, hashOf(tensor)].join(' ');
		const alike = this.stored.get(key) ?? [];
		const known = alike.find((one) => sameBytes(one, tensor));
		if (known !== undefined) return [known.name, []];
		const own = { ...tensor, name: this.fresh(base) };
		this.stored.set(key, [...alike, own]);
		return [own.name, [{ kind: 'constant', tensor: own }]];
	}
}

/** Products with first factors, each made once. */
class Middles {
	private readonly fresh: Fresh;
	private readonly opset: number;
	private readonly middles = new Map<string, ValueName>();

	constructor(fresh: Fresh, opset: number) {
		this.fresh = fresh;
		this.opset = opset;
	}

	/** X·A, by the operator of the node, without what its second product does. */
	product(node: Node, left: ValueName): readonly [ValueName, readonly Edit[]] {
		const [x = ''] = node.inputs;
		const attributes = without(node, 'transB', 'alpha', 'beta');
		const turned = node.attributes.get('transA');
		const key = [left, x, node.op, turned?.kind === 'int' ? turned.value : 0].join(' ');
		const known = this.middles.get(key);
		if (known !== undefined) return [known, []];
		const middle = this.fresh(`${node.outputs[0] ?? 'product'}_factor`);
		this.middles.set(key, middle);
		const name = node.name === '' ? '' : `${node.name}_left`;
		const { op, domain } = node;
		// Before opset 11 a Gemm has to add something.
		if (op === 'Gemm' && domain === '' && this.opset < 11)
			return [middle, this.plainProduct(turned, x, left, middle)];
		const made = { name, op, domain, inputs: [x, left], outputs: [middle], attributes };
		return [middle, [{ kind: 'insert', node: made }]];
	}

	private plainProduct(
		turned: Attribute | undefined,
		x: ValueName,
		left: ValueName,
		middle: ValueName,
	): Edit[] {
		if (turned?.kind !== 'int' || turned.value !== 1) return [insert('MatMul', [x, left], middle)];
		const straight = this.fresh(`${x}_turned`);
		return [insert('Transpose', [x], straight), insert('MatMul', [straight, left], middle)];
	}
}

const without = ({ attributes }: Node, ...names: string[]): Map<string, Attribute> =>
	new Map([...attributes].filter(([name]) => !names.includes(name)));

/** (X·A)·B in the operator the node has: Gemm keeps alpha, beta and bias. */
function secondProduct(node: Node, middle: ValueName, right: ValueName): Edit {
	const [, , ...rest] = node.inputs;
	const attributes = without(node, 'transB', 'transA');
	return { kind: 'node', node: { ...node, inputs: [middle, right, ...rest], attributes } };
}

/** Gemm scales what it multiplies, and so what is lost. */
function scaledBy({ attributes }: Node, shift: Tensor): Tensor {
	const alpha = attributes.get('alpha');
	if (alpha?.kind !== 'float' || alpha.value === 1) return shift;
	return tensorOf(
		shift.name,
		shift.type,
		shift.dims,
		numbersOf(shift).map((value) => value * alpha.value),
	);
}

function isTransposed(node: Node): boolean {
	const attribute = node.attributes.get('transB');
	return attribute?.kind === 'int' && attribute.value === 1;
}

/** The product of the factors as the node reads it, made in the graph. */
function theirProduct(
	left: ValueName,
	right: ValueName,
	product: ValueName,
	turned: boolean,
	fresh: Fresh,
): Edit[] {
	const straight = turned ? fresh(`${product}_straight`) : product;
	return [
		insert('MatMul', [left, right], straight),
		...(turned ? [insert('Transpose', [straight], product)] : []),
	];
}
