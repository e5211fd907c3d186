/**
 * A norm of a norm is one norm. With n = c·(x − μ)/√(σ² + ε₁), whose variance is c²σ²/(σ² + ε₁), the second gives
 * (x − μ)/√(σ² + ε) · sign(c)/√(1 + ε₂/c²), ε = ε₁ε₂/(c² + ε₂); with mean squares in the place of variances the same holds of RMS norms.
 */
import { nodeLabel, type Node, type ValueName } from '../../ir/graph/graph.ts';
import { disturbed, type Folded } from '../exact/exact.ts';
import { epsilonOf, inputOf, isNative, isRootOfMean, normAt, setEpsilon, type Norm } from './norms.ts';
import { type Rewriting } from '../exact/rewriting.ts';

/** The first norm goes into the second where nobody else reads it and all its channels have the same scale. */
export function foldRepeated(r: Rewriting, node: Node): Folded | string | undefined {
	const second = soleNorm(r, node);
	if (second === undefined) return undefined;
	const first = makerNorm(r, inputOf(r, node) ?? '');
	if (first === undefined) return undefined;
	const { norm, root } = first;
	const why = keepsApart(r, first, node);
	if (why !== undefined) return `${nodeLabel(root)} comes before it, and ${why}`;
	const factor = norm.affine.scale[0] ?? 1;
	const [before, own] = [epsilonOf(r, root), epsilonOf(r, node)];
	if (before === undefined || own === undefined) return 'its epsilon is computed, not stored';
	merge(r, node, { factor, before, own }, inputOf(r, root) ?? '');
	return { control: (model) => disturbed(r, model, norm.output, 'Mul', 0.01) };
}

/** Norms that divide by what they measure along the last axis. */
function soleNorm(r: Rewriting, node: Node): Norm | undefined {
	if (node.op === 'InstanceNormalization' || (!isNative(node) && !isRootOfMean(r, node))) return undefined;
	const norm = normAt(r, node);
	return typeof norm === 'string' || inputOf(r, node) === undefined ? undefined : norm;
}

type Made = { readonly norm: Norm; readonly root: Node };

/** The norm that puts a value out. */
function makerNorm(r: Rewriting, value: ValueName): Made | undefined {
	for (const root of r.standing()) {
		const norm = soleNorm(r, root);
		if (norm?.output === value) return { norm, root };
	}
	return undefined;
}

/** Why two norms are not one. */
function keepsApart(r: Rewriting, { norm, root }: Made, node: Node): string | undefined {
	const { scale, shift } = norm.affine;
	const [one = 0] = Array.from(scale);
	const outside = r.seenOutside(norm.output);
	if (outside !== undefined) return outside;
	const other = otherReader(r, norm.output, node);
	if (other !== undefined) return `${nodeLabel(other)} reads it too`;
	if (one === 0 || Array.from(scale).some((value) => value !== one))
		return 'its scale differs between channels';
	const subtracts = [root, node].map((each) => subtractsMean(r, each));
	if (subtracts[1] === true && subtracts[0] === false) return 'it leaves the mean, which this one subtracts';
	const shifts = Array.from(shift).some((value) => value !== (subtracts[1] === true ? shift[0] : 0));
	return shifts ? 'its shift differs between channels' : undefined;
}

const written = ['ReduceMean', 'Sub', 'Pow', 'Mul', 'Div', 'Add', 'Sqrt', 'Reciprocal', 'Cast'];

/** Somebody whom a value reaches by another way than through a norm. */
function otherReader(r: Rewriting, value: ValueName, node: Node): Node | undefined {
	const norm = normAt(r, node);
	const end = isNative(node) ? node.id : typeof norm === 'string' ? undefined : norm.scaleAt[0].id;
	const seen = new Set<number>();
	const queue = r.numbersReaders(value);
	for (let reader = queue.pop(); reader !== undefined; reader = queue.pop()) {
		if (reader.id === end || seen.has(reader.id)) continue;
		const [output = ''] = reader.outputs;
		const isInside = written.includes(reader.op) && r.seenOutside(output) === undefined;
		if (isNative(node) || !isInside || seen.size > 12) return reader;
		seen.add(reader.id);
		queue.push(...r.numbersReaders(output));
	}
	return undefined;
}

function subtractsMean(r: Rewriting, node: Node): boolean {
	if (isNative(node)) return node.op === 'LayerNormalization';
	return r.readersOf(inputOf(r, node) ?? '').some(({ op }) => op === 'ReduceMean');
}

function merge(
	r: Rewriting,
	node: Node,
	{ factor, before, own }: { readonly factor: number; readonly before: number; readonly own: number },
	from: ValueName,
): void {
	const second = normAt(r, node);
	if (typeof second === 'string') return;
	const [scaler, slot] = second.scaleAt;
	const gain = Math.sign(factor) / Math.sqrt(1 + own / factor ** 2);
	const scale = Float64Array.from(second.affine.scale, (value) => value * gain);
	const name = r.constant(`${scaler.inputs[slot] ?? ''}_merged`, second.type, [second.size], scale);
	r.setInput(scaler, slot, name);
	setEpsilon(r, node.id, (before * own) / (factor ** 2 + own));
	r.reroute(inputOf(r, node) ?? '', from);
}
