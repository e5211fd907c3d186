/** What holds of every graph: checked on input and after every patch. Rules: https://onnx.ai/onnx/repo-docs/IR.html */
import { type Diagnostic } from '../../diagnostic.ts';
import { badTensor, structure } from '../../messages/model.ts';
import { byteLength, elementType } from './dtype.ts';
import { sortNodes } from './order.ts';
import {
	elementCount,
	nodeLabel,
	subgraphs,
	type Graph,
	type Model,
	type Node,
	type Tensor,
	type ValueName,
} from './graph.ts';

/** What is wrong with a model; empty when it is well-formed. */
export function verifyModel(model: Model): Diagnostic[] {
	return [...verifyHead(model), ...verifyGraph(model.graph, new Set(), 'graph')];
}

/** What the model says of itself. Operator sets came with IR 3; onnxruntime takes its own domains without one, and so do real files. */
function verifyHead({ irVersion, opsets, graph }: Model): Diagnostic[] {
	const problems: string[] = [];
	if (irVersion < 1) problems.push('it names no IR version');
	if (irVersion >= 3 && !opsets.has('') && graph.nodes.some(({ domain }) => domain === ''))
		problems.push('operators of ONNX itself are used, and no version of them is named');
	return problems.map((problem) => structure({ problem }, { at: 'model' }));
}

function verifyGraph(graph: Graph, outer: ReadonlySet<ValueName>, place: string): Diagnostic[] {
	const problems: Diagnostic[] = [];
	const known = new Set<ValueName>(outer);
	const made = new Set<ValueName>();
	const problem = (text: string): void => {
		problems.push(structure({ problem: text }, { at: place }));
	};
	for (const { name } of graph.inputs) {
		if (name === '') problem('an input has no name');
		if (made.has(name)) problem(`input '${name}' is listed twice`);
		made.add(name);
	}
	for (const [name, tensor] of graph.initializers) {
		if (name === '') problem('an initializer has no name');
		if (tensor.type === 0) problem(`initializer '${name}' has no element type`);
		made.add(name);
		problems.push(...verifyTensor(tensor, place));
	}
	made.forEach((name) => known.add(name));
	graph.nodes.forEach((node) => {
		node.outputs.forEach((name) => known.add(name));
	});
	for (const node of graph.nodes) {
		const label = nodeLabel(node);
		if (node.op === '') problem(`${label} has no operator`);
		if (node.inputs.length + node.outputs.length === 0) problem(`${label} reads nothing and makes nothing`);
		for (const name of node.inputs)
			if (name !== '' && !known.has(name)) problem(`${label} reads '${name}', which nobody makes`);
		for (const inner of subgraphs(node)) problems.push(...verifyGraph(inner, known, `${place}.${label}`));
		for (const name of node.outputs) {
			const repeats = node.op === 'Constant';
			if (name !== '' && made.has(name) && !repeats) problem(`'${name}' is made twice, again by ${label}`);
			made.add(name);
		}
	}
	for (const { name } of graph.outputs) if (!known.has(name)) problem(`output '${name}' is never made`);
	const cycle = nodeInCycle(graph);
	if (cycle !== undefined) problem(`${nodeLabel(cycle)} reads what is made from its own output`);
	return problems;
}

function verifyTensor({ name, type, dims, bytes }: Tensor, place: string): Diagnostic[] {
	const known = elementType(type);
	if (bytes === undefined || known === undefined || known.bits === 0) return [];
	const expected = byteLength(type, elementCount(dims));
	return bytes.length === expected ? [] : [badTensor({ name, found: bytes.length, expected }, { at: place })];
}

/** A node that stands before the maker of what it reads in every order. */
function nodeInCycle(graph: Graph): Node | undefined {
	const order = sortNodes(graph.nodes);
	const at = new Map(order.flatMap((node, index) => node.outputs.map((name) => [name, index] as const)));
	return order.find((node, index) =>
		node.inputs.some((name) => name !== '' && (at.get(name) ?? -1) >= index),
	);
}
