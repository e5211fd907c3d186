/** What lets an untouched object be written back byte for byte: where it was read, and the object as it was read. */
import { type Origin } from '../../ir/graph/graph.ts';
import { type Message, type Source } from './wire.ts';

export type WireOrigin = Origin & { readonly message: Message };

const asRead = new WeakMap<object, Message>();

/** Marks an object as read from a message; copies of it made by spreading carry the origin along. */
export function remember<T extends object>(object: T, message: Message): T {
	const origin: WireOrigin = { codec: 'onnx', message };
	const marked = { ...object, origin };
	asRead.set(marked, message);
	return marked;
}

/** Where tensors begin whose data lies in another file, by the file of their messages. */
const outside = new WeakMap<Source, number[]>();

/** Notes that a tensor's data lies in another file: where its message says so, nobody else finds it. */
export function rememberOutside({ source, start }: Message): void {
	const known = outside.get(source) ?? [];
	known.push(start);
	outside.set(source, known);
}

/** The bytes of an object that nobody has changed and that hold all there is to it: no data lies in another file. */
export function untouched(object: object): Message | undefined {
	const message = asRead.get(object);
	if (message === undefined) return undefined;
	const { source, start, end } = message;
	return outside.get(source)?.some((at) => start <= at && at < end) ? undefined : message;
}

/** The message a changed object was derived from. */
export function derivedFrom(object: { readonly origin?: Origin }): Message | undefined {
	return object.origin?.codec === 'onnx' ? (object.origin as WireOrigin).message : undefined;
}
