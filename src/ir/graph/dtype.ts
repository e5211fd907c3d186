/** ONNX element types by number (https://onnx.ai/onnx/api/classes.html, TensorProto.DataType). */

export type ElementKind = 'float' | 'int' | 'uint' | 'bool' | 'string' | 'complex';
export type ElementType = {
	readonly code: number;
	readonly name: string;
	readonly bits: number;
	readonly kind: ElementKind;
};

const rows: readonly (readonly [code: number, name: string, bits: number, kind: ElementKind])[] = [
	[1, 'float32', 32, 'float'],
	[2, 'uint8', 8, 'uint'],
	[3, 'int8', 8, 'int'],
	[4, 'uint16', 16, 'uint'],
	[5, 'int16', 16, 'int'],
	[6, 'int32', 32, 'int'],
	[7, 'int64', 64, 'int'],
	[8, 'string', 0, 'string'],
	[9, 'bool', 8, 'bool'],
	[10, 'float16', 16, 'float'],
	[11, 'float64', 64, 'float'],
	[12, 'uint32', 32, 'uint'],
	[13, 'uint64', 64, 'uint'],
	[14, 'complex64', 64, 'complex'],
	[15, 'complex128', 128, 'complex'],
	[16, 'bfloat16', 16, 'float'],
	[17, 'float8e4m3fn', 8, 'float'],
	[18, 'float8e4m3fnuz', 8, 'float'],
	[19, 'float8e5m2', 8, 'float'],
	[20, 'float8e5m2fnuz', 8, 'float'],
	[21, 'uint4', 4, 'uint'],
	[22, 'int4', 4, 'int'],
	[23, 'float4e2m1', 4, 'float'],
	[24, 'float8e8m0', 8, 'float'],
	[25, 'uint2', 2, 'uint'],
	[26, 'int2', 2, 'int'],
];

const byCode = new Map<number, ElementType>(
	rows.map(([code, name, bits, kind]) => [code, { code, name, bits, kind }]),
);

/** Element types prunec itself writes. */
export const FLOAT = 1;
export const UINT8 = 2;
export const INT8 = 3;
export const INT32 = 6;
export const INT64 = 7;
export const BOOL = 9;
export const FLOAT16 = 10;
export const DOUBLE = 11;

/** The element type with this number, or undefined for one newer than ONNX IR 14. */
export function elementType(code: number): ElementType | undefined {
	return byCode.get(code);
}

/** Its name in words, also for a number nobody knows. */
export function typeName(code: number): string {
	return byCode.get(code)?.name ?? `element type ${code}`;
}

/** Bytes that `count` elements take in raw form; two- and four-bit elements are packed, the last byte padded. */
export function byteLength(code: number, count: number): number {
	return Math.ceil((count * (byCode.get(code)?.bits ?? 0)) / 8);
}

export function isFloat(code: number): boolean {
	return byCode.get(code)?.kind === 'float';
}
