/**
 * Layer norms without their mean: where every value of a residual stream is centred, the mean that a layer norm subtracts is zero, and
 * the norm is an RMS norm with the same epsilon (SliceGPT, arXiv:2401.15024, section 3.2; Jiang et al., arXiv:2305.14858). Exact.
 */
import { present } from '../../diagnostic.ts';
import { FLOAT } from '../../ir/graph/dtype.ts';
import { type Attribute, type Model, type Node, type ValueName } from '../../ir/graph/graph.ts';
import { applyPatch } from '../../ir/graph/patch.ts';
import { centreWriters, insertMean } from './centre.ts';
import { numberOf } from '../edits.ts';
import { type Folded, type Rule } from '../exact/exact.ts';
import { isNative, isRootOfMean, normAt, squaredBy, type Norm } from './norms.ts';
import { streamAt, subtractsOwnMean } from './residual-stream.ts';
import { type Rewriting } from '../exact/rewriting.ts';

/** Puts the affine of a norm elsewhere, or answers why not: `undefined` when there is none. */
type FoldAffine = (r: Rewriting, node: Node) => Folded | string | undefined;

/** One rule for one rewriting: it remembers the streams that it has centred. */
export function rmsRule(foldAffine: FoldAffine): Rule {
	const streams = new Map<ValueName, string | undefined>();
	return { name: 'rms', fold: (r, node) => foldMean(r, node, streams, foldAffine) };
}

function foldMean(
	r: Rewriting,
	node: Node,
	streams: Map<ValueName, string | undefined>,
	foldAffine: FoldAffine,
): Folded | string | undefined {
	const centred = centredBy(r, node);
	if (centred === undefined) return undefined;
	const norm = normAt(r, node);
	if (typeof norm === 'string') return norm;
	const cannot = unwritable(r, node, norm);
	if (cannot !== undefined) return cannot;
	const why = streams.has(centred.value)
		? streams.get(centred.value)
		: centreStream(r, centred.value, streams);
	if (why !== undefined) return why;
	const shift = foldShift(r, node.id, foldAffine);
	if (shift !== undefined) return shift;
	if (!isNative(node)) {
		for (const id of centred.subtractions) r.bypass(id);
		return { control: (before) => withoutSubtractions(before, centred.subtractions) };
	}
	writeRms(r, present(r.node(node.id), 'a norm'));
	return { control: (before) => withoutMean(before, node) };
}

/** The value whose mean a norm subtracts, and the nodes that do; undefined where it subtracts none. */
function centredBy(
	r: Rewriting,
	node: Node,
): { readonly value: ValueName; readonly subtractions: readonly number[] } | undefined {
	const [value = ''] = node.inputs;
	if (node.op === 'LayerNormalization' || node.op === 'SkipLayerNormalization')
		return { value, subtractions: [] };
	if (!isRootOfMean(r, node)) return undefined;
	const squared = r.makerOf(squaredBy(r, node));
	const from = squared?.op === 'Cast' ? r.makerOf(squared.inputs[0]) : squared;
	const subtracted = from === undefined ? undefined : subtractsOwnMean(r, from);
	if (subtracted === undefined) return undefined;
	const all = r.readersOf(subtracted).filter((reader) => subtractsOwnMean(r, reader) === subtracted);
	return { value: subtracted, subtractions: all.map(({ id }) => id) };
}

/** Centres the writers of the stream that a value is of, once; why not is remembered too. */
function centreStream(
	r: Rewriting,
	value: ValueName,
	streams: Map<ValueName, string | undefined>,
): string | undefined {
	const stream = streamAt(r, value);
	const [first, ...others] = stream.obstacles;
	const more = others.length === 0 ? '' : `, and ${others.length} more`;
	const why = first === undefined ? centreWriters(r, stream) : `${first}${more}`;
	for (const member of stream.members) streams.set(member.value, why);
	if (why === undefined)
		for (const { id } of stream.norms)
			for (const name of r.node(id)?.inputs ?? []) streams.set(name, undefined);
	return why;
}

function unwritable(r: Rewriting, node: Node, { type }: Norm): string | undefined {
	const isRead = (name: ValueName): boolean =>
		name !== '' && (r.readersOf(name).length > 0 || r.seenOutside(name) !== undefined);
	if (isNative(node) && node.outputs.slice(1, 3).some(isRead)) return 'its statistics are read';
	if (isNative(node) && type !== FLOAT && !isForOnnxruntime(r))
		return 'squares of half precision overflow in single operators';
	return undefined;
}

/** Takes the shift away, which an RMS norm has none of; or answers why it cannot go into what reads it. */
function foldShift(r: Rewriting, id: number, foldAffine: FoldAffine): string | undefined {
	// Centring has changed what it reads.
	const node = present(r.node(id), 'a norm');
	const norm = normAt(r, node);
	if (typeof norm === 'string') return norm;
	const shifts = Array.from(norm.affine.shift).some((one) => one !== 0);
	const folded = shifts ? foldAffine(r, node) : undefined;
	if (typeof folded === 'string') return `its shift stays: ${folded}`;
	const rest = isNative(node) ? undefined : normAt(r, node);
	if (typeof rest !== 'object' || rest.shiftAt === undefined) return undefined;
	const [add, slot] = rest.shiftAt;
	r.bypass(add.id, 1 - slot);
	return undefined;
}

/** Whether a model runs in onnxruntime alone already, so that its own operators may be written. */
function isForOnnxruntime(r: Rewriting): boolean {
	return r.standing().some(({ domain, op }) => domain === 'com.microsoft' || op.startsWith('Simplified'));
}

/** How the norms are written, in the words of a plan. */
export function rmsForm(r: Rewriting): string {
	return isForOnnxruntime(r)
		? 'as RMS norms by operators of onnxruntime'
		: 'as RMS norms in single operators, which onnxruntime fuses';
}

const rms: ReadonlyMap<string, string> = new Map([
	['LayerNormalization', 'SimplifiedLayerNormalization'],
	['SkipLayerNormalization', 'SkipSimplifiedLayerNormalization'],
]);

/**
 * As onnxruntime's operator in models that have such; else in single operators, which onnxruntime (1.30) takes for that operator when it
 * loads them. RMSNormalization of opset 23 is standard, and no faster there than a layer norm.
 */
function writeRms(r: Rewriting, node: Node): void {
	if (!isForOnnxruntime(r)) writeSingle(r, node);
	else r.put(simplified(node));
}

function simplified(node: Node): Node {
	const isSkip = node.op === 'SkipLayerNormalization';
	const inputs = node.inputs.filter((_, slot) => slot !== (isSkip ? 3 : 2));
	const epsilon: Attribute = { kind: 'float', value: numberOf(node, 'epsilon', isSkip ? 1e-12 : 1e-5) };
	const attributes = new Map([...node.attributes, ['epsilon', epsilon] as const]);
	return { ...node, op: rms.get(node.op) ?? node.op, inputs, attributes };
}

/** x / √(mean x² + ε) · scale, in the operators and the order that onnxruntime knows. */
function writeSingle(r: Rewriting, node: Node): void {
	const [value = '', scale = ''] = node.inputs;
	const type = r.constantOf(scale)?.type ?? FLOAT;
	const rank = r.sizesOf(value)?.length ?? 1;
	const scalar = (base: string, number: number): ValueName => r.constant(base, type, [], [number]);
	const step = (op: string, inputs: readonly ValueName[], like?: ValueName): ValueName => {
		const output = r.value(`${node.outputs[0] ?? ''}_${op}`, like);
		r.insert({ name: '', op, domain: '', inputs, outputs: [output], attributes: new Map() });
		return output;
	};
	const squares = step('Pow', [value, scalar('two', 2)], value);
	const mean = r.value(`${node.outputs[0] ?? ''}_mean`);
	insertMean(r, squares, rank - 1, mean);
	const root = step('Sqrt', [step('Add', [mean, scalar('epsilon', numberOf(node, 'epsilon', 1e-5))])]);
	const inputs = [step('Div', [value, root], value), scale];
	r.put({ ...node, op: 'Mul', inputs, attributes: new Map() });
}

/** Control: the norm without its mean in the model as it was, where what is written is not centred. */
function withoutMean(before: Model, node: Node): Model {
	const own = before.graph.nodes.find(({ id }) => id === node.id) ?? node;
	const edit = { kind: 'node', node: simplified(own) } as const;
	return applyPatch(before, { label: 'mean left in', edits: [edit] });
}

function withoutSubtractions(before: Model, ids: readonly number[]): Model {
	const nodes = before.graph.nodes.filter(({ id }) => ids.includes(id));
	const edits = nodes.map(
		({ inputs, outputs }) => ({ kind: 'rewire', from: outputs[0] ?? '', to: inputs[0] ?? '' }) as const,
	);
	return applyPatch(before, { label: 'mean left in', edits });
}
